// Package controlplane runs etcd, the API server and the controller manager on
// loopback addresses and with certificates of their own. It starts each only when
// the one below it answers, watches them, and ends them in the opposite order.
// Start at [Start].
//
// Without a Node in the configuration there is no scheduler: pods are created and
// stay Pending. With one the API server listens on an address that pods reach, and
// there are credentials for the kubelet, which package node runs.
package controlplane
