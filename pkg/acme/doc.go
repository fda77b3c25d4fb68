// Package acme knows what certificate authorities that speak ACME (RFC 8555) look like from the outside: which host
// serves the directory of which CA, and whether that directory issues certificates the public trusts.
//
// The room is pure: no client, no clock, no logger, no context, and nothing of certwire's other rooms. Everything here
// is safe for concurrent use once built.
//
// Start reading at [Directories].
package acme
