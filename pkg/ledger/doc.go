// Package ledger remembers what was ordered from ACME CAs, in IssuanceBudget objects that outlive the Orders, requests
// and Certificates that cert-manager's garbage collection takes away.
//
// [Ledger.Assess] answers from memory what a CA would say to an order. [Ledger.Reserve] takes the order's place in every
// bucket before the order exists: one conditional write for each budget, so that two replicas cannot give the same
// token away. What then becomes of the order is seen by every replica's watch and counted once, by the Order's UID.
//
// It may touch acme, policy's facts, the API types, client-go and controller-runtime. Safe for concurrent use.
//
// Start reading at state.go for what is kept, then reserve.go and record.go for how it changes, and store.go for how that is
// written.
package ledger
