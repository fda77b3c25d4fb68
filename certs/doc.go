// Package certs gives certwire's webhook its own serving certificate, and keeps calls from failing while it rotates.
//
// An API server trusts the webhook by the caBundle in the webhook configurations, and sees a change of it a moment
// after it was written. So a rotation has an order that must be kept: the new CA is published first, it is seen for a
// while, only then a leaf from it is served, and the old CA stays in the bundle until no leaf from it can be alive.
// cert-manager's pkg/server/tls, which makes the keys and signs here, swaps both at once; this package puts the order
// around it.
//
// On every replica, SelfManaged serves. On the one that leads, its Bundler writes the caBundles. No replica needs the
// other kind of work to be done by itself, so losing the leader only delays a rotation. Files is the other Source: the
// owner brings certificate and caBundle.
//
// How a rotation goes:
//
//	authority (cert-manager)  a new CA is in the Secret, on every replica
//	gate.go                   a new leaf is refused: its CA is not published; the old leaf stays
//	bundler.go, bundle.go     caBundle = new CA + old CA, in both configurations
//	published.go              every replica sees it, and waits PublishDelay
//	gate.go, serving.go       the new leaf is accepted, and served once it is old enough for a clock that is behind
//	bundle.go                 the old CA is dropped once its last leaf has ended
//
// Start reading at source.go for what callers get, then gate.go and bundle.go for the two decisions; both are pure of
// the API server. watches.go and bundler.go are the only files that talk to it.
//
// This package may touch cert-manager's pkg/server/tls, client-go and controller-runtime's certwatcher, and nothing else
// of certwire.
package certs
