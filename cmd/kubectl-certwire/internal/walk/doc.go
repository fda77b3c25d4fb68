// Package walk gathers what package chain draws: the Certificate, what was issued for it, its Secret, copies of that, and what
// the pods that use them serve, as certwire has written it down or as a look of its own shows it. It works with the caller's
// permissions and notes what it could not see.
//
// It reads Secrets where the caller may, and keeps of them the leaf alone. It asks the API server, and dials nothing unless
// it is told to. Start reading at [Look].
package walk
