package probe

import (
	"crypto/x509"
	"slices"
)

// Match is how what is served compares with what should be: a closed set, fit for a metric label.
type Match string

// The outcomes of [Compare].
const (
	// Current: the leaf and its intermediates are those wanted.
	Current Match = "current"
	// Incomplete: the leaf is the one wanted, but an intermediate that should go with it is not served.
	Incomplete Match = "incomplete"
	// Previous: an older leaf for the same names.
	Previous Match = "previous"
	// Ahead: a newer leaf for the same names; the file that it is compared with is behind.
	Ahead Match = "ahead"
	// Other: another leaf that has some of the names.
	Other Match = "other"
	// Default: the certificate that a server makes up when it has none.
	Default Match = "default"
	// Foreign: a leaf that has none of the names.
	Foreign Match = "foreign"
	// Unknown: nothing was served that could be compared.
	Unknown Match = "unknown"
)

// Wanted is what should be served.
type Wanted struct {
	// Chain is the leaf and its intermediates, as in tls.crt. It is not empty.
	Chain []*x509.Certificate
	// Previous are leaves that were wanted before.
	Previous []Fingerprint
}

// defaults are the names in certificates that servers serve for want of a better one, see
// ingress-nginx internal/net/ssl/ssl.go (GetFakeSSLCert), traefik pkg/tls/generate/generate.go, and cert-manager
// pkg/util/pki/temporarycertificate.go.
var defaults = []string{
	"Kubernetes Ingress Controller Fake Certificate", "ingress.local", "TRAEFIK DEFAULT CERT", "cert-manager.local",
}

// Compare says how the result of a dial compares with what should be served.
func Compare(r Result, w Wanted) Match {
	if len(w.Chain) == 0 {
		return Unknown
	}
	m := CompareLeaf(r, NewLeaf(w.Chain[0]), w.Previous)
	if m == Current {
		return completeness(r, w)
	}
	return m
}

// CompareLeaf is [Compare] for who knows the leaf alone: what is served with it is not looked at, so the outcome is never
// Incomplete. Of the leaf, the fingerprint, the names and the times are used.
func CompareLeaf(r Result, wanted Leaf, previous []Fingerprint) Match {
	if r.State != Served {
		return Unknown
	}
	served := r.Leaf
	switch {
	case served.Fingerprint == wanted.Fingerprint:
		return Current
	case slices.Contains(previous, served.Fingerprint):
		return Previous
	case slices.Equal(served.Names, wanted.Names):
		if served.NotBefore.After(wanted.NotBefore) {
			return Ahead
		}
		return Previous
	case slices.ContainsFunc(served.Names, func(n string) bool { return slices.Contains(wanted.Names, n) }):
		return Other
	case isDefault(served):
		return Default
	default:
		return Foreign
	}
}

// completeness looks for the intermediates. A root that the file holds need not be served: clients have it
// (RFC 8446 section 4.4.2).
func completeness(r Result, w Wanted) Match {
	for _, c := range w.Chain[1:] {
		if string(c.RawIssuer) != string(c.RawSubject) && !slices.Contains(r.Chain, FingerprintOf(c.Raw)) {
			return Incomplete
		}
	}
	return Current
}

func isDefault(l Leaf) bool {
	return slices.ContainsFunc(l.Names, func(n string) bool { return slices.Contains(defaults, n) })
}
