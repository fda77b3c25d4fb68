// Command certmanager runs what certwire works beside, on a test cluster's API
// server: cert-manager's controllers and one or more ACME servers for them to order
// from.
//
//	go -C test/certmanager run . --kubeconfig FILE
//
// The controllers are cert-manager's own, composed in this process from its
// packages, because its controller command is a nested module that the module proxy
// does not have. The ACME servers are Pebble, Let's Encrypt's server for tests, as
// child processes. The module is apart from certwire's own, so that none of this
// reaches the product's go.mod.
//
// What is not real: there is no cert-manager webhook and no cainjector, no node runs
// the solver pods, and Pebble believes every answer to a challenge (which is why
// issuers need waitInsteadOfSelfCheck beside http01) and has no rate limits. The
// controllers for Vault and Venafi are left out, and no ACME server outside this
// machine can be reached, so that an issuer in a test opens no account anywhere.
//
// Start reading at serve; the parts are in internal:
//
//	controllers   cert-manager's controllers, and the account they run as
//	pebble        an ACME server, and the log that says who ordered what
//	child         a process that cannot outlive this one
package main
