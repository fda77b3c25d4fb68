// Package resume looks after orders that certwire refused for a CA's limits, or could not decide about. It tells people where they look: an Event on
// the Certificate, and on the Ingress or Gateway behind it, where cert-manager shows nothing. And when the budget allows
// again, it has cert-manager try at once instead of after up to five minutes, by an annotation on the waiting
// CertificateRequest.
//
// It may touch policy, the inventory and the ledger. One replica runs it, the leader; everything follows from the
// CertificateRequests' conditions and the budgets, so another one goes on where it stopped.
//
// Start reading at [Resumer.Run].
package resume
