// Package mirror finds the copies of a Certificate's Secret among other Secrets, says who keeps each of them and whether
// it is behind, and what helps when it is.
//
// What counts is what a copy holds. Marks of tools (reflector, replicator, config-syncer, Kyverno, External Secrets) say
// whose copy a Secret is, and never that it is current: a version in an annotation outlives the data that it was about.
// A Secret without marks is a copy when it holds a leaf that is, or was, the Certificate's.
//
// The room is pure: no client, no clock, no logger. It may touch API types and what package probe says of a leaf. [Lean]
// keeps of a Secret nothing that is secret. Everything here is safe for concurrent use.
//
// Start reading at [Find], then at [Lean]; marks.go has the tools' marks.
package mirror
