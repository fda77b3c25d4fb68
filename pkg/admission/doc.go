// Package admission answers AdmissionReviews (admission.k8s.io/v1): bytes in, a response out, within the API server's
// deadline and never with a panic.
//
// What happens when something goes wrong is decided here and not left to chance, since an answer of "not allowed"
// denies whatever the failurePolicy says. [Reload] fails open: the workload is admitted as it is, with a warning.
// [Guard] fails open for what people apply and closed for Orders, which cert-manager tries again by itself.
//
// It may touch the pure rooms and config, asks the inventory through the interfaces declared here, and the API server for
// one thing: whether a requester may break the glass.
//
// Start reading at [Hook]; reload.go and guard.go are the two kinds of hook.
package admission
