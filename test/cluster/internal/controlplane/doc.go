// Package controlplane runs etcd, the API server and the controller manager on
// loopback addresses and with certificates of their own. It starts each only when
// the one below it answers, watches them, and ends them in the opposite order.
// Start at [Start].
//
// There is no scheduler and no node: pods are created and stay Pending. A node
// would join through what the credentials already provide for it, the signing of
// CertificateSigningRequests by the cluster's authority.
package controlplane
