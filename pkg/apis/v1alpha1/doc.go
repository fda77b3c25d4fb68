// Package v1alpha1 holds the types of certwire's own resources, in the group certwire.dev.
//
// The room is made of types alone. The CRDs in manifests/base/crds and the deep copies are generated from them (make
// generate), and their comments are what kubectl explain shows.
//
// Start reading at [IssuanceBudget].
//
// +kubebuilder:object:generate=true
// +groupName=certwire.dev
package v1alpha1
