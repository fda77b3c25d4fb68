// Package forward reaches ports of pods through the API server, with the caller's permissions, as kubectl port-forward
// does: pods' addresses lead nowhere from most people's machines. It listens at no local port.
//
// It touches client-go's port forwarding. Start reading at [Forwarder.Open].
package forward
