// Package diagnose says why a Certificate is not issued or not renewed: facts about it, its request, its Order, its
// Challenges and its issuer in; one cause of a closed set, a line for people and the time of the next try out.
//
// cert-manager spreads that over five kinds of objects, and some of it over events that go after an hour: what it says is
// read here as its controllers write it, at the version in go.mod; each place names the file.
//
// It is pure: no client, no clock, no context. It may touch acme, policy and cert-manager's API types. Whoever asks makes
// the facts with [NewCertificate], [NewRequest], [NewOrder], [NewChallenge], [NewIssuer] and [NewIngress]; they are small
// enough to be kept, and bounded whatever a CA writes.
//
// Start reading at [Diagnose], and at causes.go for the table from which docs/issuance.md is made.
package diagnose
