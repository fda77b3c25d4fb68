// Package admission answers AdmissionReviews (admission.k8s.io/v1): bytes in, a response out, within the API server's
// deadline and never with a panic.
//
// What happens when something goes wrong is decided here and not left to chance, since an answer of "not allowed"
// denies whatever the failurePolicy says. [Reload] and [Pods] fail open: the object is admitted as it is, with a warning.
// [Guard] fails open for what people apply and closed for Orders, which cert-manager tries again by itself.
//
// It may touch the pure rooms and config, and asks the inventory and the ledger through the interfaces declared here. Four
// things reach the API server while a request waits, and only where the answer can change the outcome: whether a requester
// may break the glass, an Order's place in the budgets, a Certificate's last request and, for those who gave the permission,
// its Secret.
//
// Start reading at [Hook]; reload.go, pods.go and guard.go are the hooks, meter.go and wouldorder.go what the guard asks
// about limits.
package admission
