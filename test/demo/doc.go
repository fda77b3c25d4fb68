// Command demo plays certwire's story on a real API server, step by step, with the real output of kubectl, and leaves
// the cluster running until Ctrl-C. The README's transcript is what it prints: the test of this package compares them.
//
// With KUBECONFIG set it plays on that cluster instead, see package harness for what that needs.
package main
