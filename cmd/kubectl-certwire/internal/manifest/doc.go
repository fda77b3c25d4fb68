// Package manifest reads Kubernetes objects from YAML and JSON, and remembers where each of them begins.
//
// It takes whatever a pipeline gives it: several documents in one file, lists, JSON streams, files that hold no object at
// all. A document that cannot be read does not hide the others. It knows no types and no cluster.
//
// Start reading at [Read].
package manifest
