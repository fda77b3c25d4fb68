// Package policy holds certwire's rules about issuance. One rule, one file: what it refuses, whom it spares, and why
// stand in the file's header, and docs/rules.md is generated from those headers.
//
// The room is pure: facts about one request in, a [Decision] out. No client, no clock, no logger, no context. It may
// touch acme and API types. Everything here is safe for concurrent use.
//
// Start reading at [Set.Decide]; rule_production_ca.go is the model of a rule.
package policy
