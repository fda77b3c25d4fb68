// Package acme knows what certificate authorities that speak ACME (RFC 8555) look like from the outside: which host
// serves the directory of which CA, whether that directory issues certificates the public trusts, how much it lets
// through, which names and keys it refuses, and how long its certificates are valid.
//
// The room is pure: no client, no clock, no logger, no context, and nothing of certwire's other rooms. Everything here
// is safe for concurrent use once built.
//
// Start reading at [Directories] for who a CA is, at [Limit] and [Decide] for its rate limits, which are computed as
// Let's Encrypt's own server does (test/boulder compares the two), and at [CheckName] for what it refuses anyway.
package acme
