// Package mutate decides how a workload that uses a cert-manager Secret is made to reload it, and writes the decision
// down as explicit JSON-patch operations.
//
// The room is pure: bytes and facts in, a [Plan] out. No client, no clock, no logger, no context. The same plan serves
// the admission webhook, which has the raw object, and adoption, which has a cached one. Everything here is safe for
// concurrent use.
//
// It may touch API types only. An admitted object is never decoded into a Kubernetes type and written back: fields
// newer than our own modules would be lost. [Workload] holds just what a plan depends on, and [Plan.Patch] names the
// annotations that change, nothing else.
//
// Start reading at [NewPlan]; the rules come one a function in covered.go.
package mutate
