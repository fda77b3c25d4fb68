// Package inventory knows the cluster as certwire needs it: which Secrets are certificate Secrets, who issues them and
// from which ACME directory, what was ordered before and what became of it, which requests wait for certwire, what a namespace
// is for, which workloads refer to what, what the API server and the nodes can do, which IngressClasses there are, and whether Reloader is there.
//
// Everything is answered from informers that keep only what is asked for, and no Secret is ever read. One question alone
// can reach the API server while an admission request waits: the labels of a namespace that the cache does not have yet.
// cert-manager's CRDs may be missing at start and appear later.
//
// It may touch client-go, controller-runtime, and the pure rooms acme, policy and mutate. Safe for concurrent use once
// started.
//
// Start reading at [Inventory] for its life, and at certificates.go for what is asked of it most.
package inventory
