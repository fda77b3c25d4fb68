// Package probe dials one server, reads its TLS handshake, and says what it means.
//
// It compares and does not trust: no chain is verified, no name is checked, nothing is sent but what a handshake (and
// the plain-text steps before it, where a protocol has them) takes. Time and bytes are bounded. [Dial] sees the leaf of
// a server that demands a client certificate all the same.
//
// The room may touch the standard library alone; the agent and the server both use it. Everything here is safe for
// concurrent use.
//
// Start reading at [Dial], then at [Compare]; the protocols' own first steps are in the files starttls_*.go.
package probe
