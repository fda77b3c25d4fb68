// Package doctor looks whether certwire is installed as it should be and really does its work, with the caller's own
// permissions. It changes nothing: what it tries, it tries as a dry run on the server.
//
// A check that could not be made is a warning and says why; it is never taken for a success.
//
// Start reading at [Examine].
package doctor
