// Command app is the small TLS server of the pods of test/agent. It takes its certificate in one of the ways that
// servers do, and says of itself what tests need to know.
package main
