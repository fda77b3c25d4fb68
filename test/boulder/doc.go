// Package boulder holds pkg/acme against the server whose limits it computes: boulder, the software of Let's Encrypt. It
// is a module of its own, so that nothing of boulder reaches the product, and has only tests.
//
//	go -C test/boulder test -v ./...
//
// What is compared:
//
//   - TestAMillionOperations sends random operations through boulder's own Limiter with its in-memory store, and through
//     acme.Decide, acme.Limit.Spend and acme.Limit.Refund: new orders and renewals, issuances, failed authorizations, new
//     accounts, checks, batches of all kinds and costs, refunds, resets, and a clock that jumps forward, often to the
//     nanosecond at which a token comes back, and sometimes back. After each, the verdict, the bucket that binds, the
//     tokens left, the wait, the time to a full bucket and every stored state must be identical. Limits are the real
//     ones and odd ones, such as a count that does not divide the period or an interval of one nanosecond.
//   - The transactions that boulder's TransactionBuilder makes of an order: buckets, limits, costs, kinds, and order.
//   - The text of each refusal, which acme.ParseRateLimited must read.
//   - Names and addresses that are refused, the keys of sets and of registered domains, key sizes, renewal windows.
//
// Tokens that are held are certwire's own: the tests of pkg/acme show that they count like spent ones.
//
// How boulder is asked: through what it exports, but for two things. The fields of a Decision and of a Transaction are
// not exported; reflection reads them, and fails the test if one is missing. And the costs that boulder itself uses are
// all 1; other costs are written into its transactions' field. Nothing of boulder's arithmetic is done here.
//
// One difference is known, and is boulder's own: a refund beyond a full bucket answers that the bucket is full at this
// moment, but stores a time in the past. That cannot be told apart unless the clock goes back. The comparison stores what
// boulder stores.
//
// CERTWIRE_SEED repeats a run (each prints its seed), CERTWIRE_OPERATIONS changes the number of operations.
package boulder
