// Package front finds out who serves a certificate for others: the pods of Ingress controllers and of Gateways, which read
// Secrets without mounting them, and the pods that webhook configurations, APIServices and CRDs send their callers to. It tells
// which pods, at which address and port, under which name, and for what (Ingress/web), and nothing more: it dials nobody.
//
// It is pure: API types in, places out. What the cluster holds comes through [Cluster]; [Lists] is one of plain lists, for
// who has no cache. Objects are kept as little as is used of them, see [New].
//
// Where a place leads is nobody's to choose who could not reach it anyhow: addresses are those of EndpointSlices that are
// a pod's own, a pod is found in its slice's namespace alone, and which Service an Ingress controller has is told by the
// status that the controller writes, or by the IngressClass, which is the cluster's owner's.
//
// Start reading at [Of], then at ingress.go, gateway.go, caller.go and conversion.go.
package front
