// Package agent tests the agent where it works: in pods of a real node, next to real servers of Debian's packages and
// small ones of our own. A Secret is replaced, as cert-manager replaces it, and a handshake with the pod's address
// shows whether the new leaf is served. Every namespace enforces the restricted Pod Security Standard unless a test
// says otherwise. It needs root; elsewhere it says that it is skipped, unless CERTWIRE_REQUIRE_NODE is set.
//
// What is measured is printed at the end and bounded by nothing: the tests share a machine with each other.
//
// Start reading at package test/pods, the servers, and takeup_test.go, what every one of them has to do.
package agent
