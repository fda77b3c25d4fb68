package delivery

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"

	"github.com/certwire/certwire/pkg/front"
	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/pkg/reload/spec"
)

// MaxListed is how many endpoints a CertificateDelivery lists.
const MaxListed = maxListed

// Place is one place to look at, for who looks without a controller.
type Place struct {
	probe.Target

	// Port is how the annotation certwire.dev/verify spells it.
	Port string
	// Guessed says that nobody named the port.
	Guessed bool
}

// Number is the port's.
func (p Place) Number() uint16 {
	address, err := netip.ParseAddrPort(p.Address)
	if err != nil {
		return 0 // a place's address is one
	}
	return address.Port()
}

// Places lists where a pod may serve a Secret's leaf, as a sweep would look at it. Of the leaf, the names are used. presets
// are the cluster's own, and offers the ports that Services send to. There is none for a pod without an address, or without a
// port that anybody knows of.
func Places(p *Pod, secret string, leaf probe.Leaf, presets map[string]spec.Values, offers []front.Offer) []Place {
	list := targets(p, secret, leaf, presets, offers)
	out := make([]Place, 0, len(list))
	for _, t := range list {
		out = append(out, Place{Target: t.Target, Port: t.port, Guessed: t.guessed})
	}
	return out
}

// StateOf says what a look at a place means for a leaf, of which previous are those before it.
func StateOf(r probe.Result, leaf probe.Leaf, previous []probe.Fingerprint) EndpointState {
	return stateOf(r, leaf, previous)
}

// Counted leaves out of what was seen of a pod the ports that have nothing to do with the certificate, as a sweep does. What
// it returns is never empty.
func Counted(seen []Endpoint) []Endpoint { return counted(seen) }

// WorkloadOf names who replaces a pod, as in Deployment/web.
func WorkloadOf(p *corev1.Pod) string { return workloadOf(p) }
