// Command webhook is certwire's server: the admission hooks, and the small controllers around them.
//
// This folder holds options and wiring, nothing else. Start reading at run.go.
package main
