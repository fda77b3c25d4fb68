// Package issuance says for one Certificate what is in the way of its next certificate, by the very diagnosis that certwire
// makes in the cluster.
//
// [Explain] is pure. [Look] asks the API server for what it needs, with the caller's permissions, and notes what it could
// not see: nothing is concluded from that. Start reading at Explain.
package issuance
