// Package mutate decides how a workload that uses a cert-manager Secret is made to take up a renewed certificate, and
// writes the decision down as explicit JSON-patch operations: an annotation for Reloader on the workload, or certwire's
// agent in its Pods.
//
// The room is pure: bytes and facts in, a [Plan] or a [PodPlan] out. No client, no clock, no logger, no context. The same
// plan serves the admission webhook, which has the raw object, and adoption, which has a cached one; a workload's plan
// and its Pods' plan come to the same. Everything here is safe for concurrent use.
//
// It may touch API types, and pkg/reload/spec, where webhook and agent read the same annotations. An admitted object is
// never decoded into a Kubernetes type and written back: fields newer than our own modules would be lost. [Workload] holds
// just what a plan depends on, a [Pod]'s spec is only read, and patches name what changes, nothing else.
//
// Start reading at [NewPlan] and [NewPodPlan]. covered.go has Reloader's rules, one a function; choose.go says when the
// agent can do what is asked for, and sidecar.go what it looks like.
package mutate
