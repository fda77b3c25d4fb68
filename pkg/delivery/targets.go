package delivery

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/certwire/certwire/pkg/front"
	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/pkg/reload/spec"
)

// target is one place to dial.
type target struct {
	probe.Target

	// port is how the annotation spells it.
	port string
	// guessed says that nobody named the port.
	guessed bool
}

// maxPorts is how many of a pod's ports are dialled, where nobody names one.
const maxPorts = 16

// targets lists where a pod may serve a Secret's leaf: what its owner named, or else where its known server listens, or
// else the ports of the containers that use the Secret, or else those that Services send to. A known server's port that is
// none of these was moved by its owner. The address is the pod's own, whatever anybody wrote.
func targets(p *Pod, secret string, leaf probe.Leaf, presets map[string]spec.Values, offers []front.Offer) []target {
	address, err := netip.ParseAddr(p.IP)
	if err != nil || !front.Dialable(address) {
		return nil
	}
	endpoints, guessed := endpoints(p, secret, presets)
	if guessed {
		endpoints = offered(endpoints, offers)
	}
	out := make([]target, 0, len(endpoints))
	for _, e := range endpoints[:min(len(endpoints), maxPorts)] {
		name := e.ServerName
		if name == "" {
			name = serverName(p, e.Port, leaf, offers)
		}
		out = append(out, target{Target: probe.Target{
			Address: net.JoinHostPort(address.String(), strconv.Itoa(int(e.Port))), ServerName: name, StartTLS: probe.Protocol(e.StartTLS),
		}, port: e.String(), guessed: guessed})
	}
	return out
}

// offered puts the ports that Services send to first, since there may be more than are dialled; without any, it is these.
func offered(guesses []spec.Endpoint, offers []front.Offer) []spec.Endpoint {
	if len(guesses) == 0 {
		for _, o := range offers {
			guesses = append(guesses, spec.Endpoint{Port: o.Port})
		}
		return guesses
	}
	isOffered := func(e spec.Endpoint) bool {
		return slices.ContainsFunc(offers, func(o front.Offer) bool { return o.Port == e.Port })
	}
	slices.SortStableFunc(guesses, func(a, b spec.Endpoint) int {
		switch ours, others := isOffered(a), isOffered(b); {
		case ours && !others:
			return -1
		case others && !ours:
			return 1
		}
		return 0
	})
	return guesses
}

// serverName is the name to ask for at a port that nobody named one for: the cluster's own for a Service that sends to it,
// if the leaf has that, or else the first of the leaf.
func serverName(p *Pod, port uint16, leaf probe.Leaf, offers []front.Offer) string {
	for _, o := range offers {
		if o.Port == port {
			if name := front.OwnName(leaf.Names, p.Namespace, o.Services); name != "" {
				return name
			}
		}
	}
	return front.ServerName(leaf.Names)
}

func endpoints(p *Pod, secret string, presets map[string]spec.Values) (named []spec.Endpoint, guessed bool) {
	verify, preset := p.Verify, p.Preset
	if own, ok := presets[preset]; ok {
		preset = own.Preset
		if verify == "" {
			verify = own.Verify
		}
	}
	if verify != "" {
		if named, err := spec.ParseVerify(verify); err == nil {
			return named, false
		}
	}
	ports := p.Ports[secret]
	known, err := spec.FindPreset(preset)
	if err == nil && len(known.Verify) > 0 && (len(ports) == 0 || slices.ContainsFunc(known.Verify, func(e spec.Endpoint) bool {
		return slices.Contains(ports, e.Port)
	})) {
		return known.Verify, false
	}
	protocol := ""
	if err == nil && len(known.Verify) > 0 {
		protocol = known.Verify[0].StartTLS
	}
	for _, port := range ports {
		named = append(named, spec.Endpoint{Port: port, StartTLS: protocol})
	}
	return named, true
}

// patience is what a pod's server is known to take until it serves what it took up; 0 for what is usual.
func patience(p *Pod, presets map[string]spec.Values) time.Duration {
	preset := p.Preset
	if own, ok := presets[preset]; ok {
		preset = own.Preset
	}
	known, err := spec.FindPreset(preset)
	if err != nil {
		return 0
	}
	return known.Patience
}

// stateOf is an endpoint's state after a dial.
func stateOf(r probe.Result, leaf probe.Leaf, previous []probe.Fingerprint) EndpointState {
	switch r.State {
	case probe.Unreachable:
		return Unreachable
	case probe.NotTLS:
		return NotTLS
	}
	switch probe.CompareLeaf(r, leaf, previous) {
	case probe.Current, probe.Incomplete:
		return Current
	case probe.Previous:
		return Previous
	case probe.Ahead:
		return Ahead
	case probe.Other:
		return Other
	case probe.Default:
		return Default
	default:
		return Foreign
	}
}

// counted leaves out of the ports that nobody named those that have nothing to do with the certificate: of several, those
// count that serve one of its names. If none does, the pod is what the most telling of them says.
func counted(seen []Endpoint) []Endpoint {
	if len(seen) == 0 {
		return []Endpoint{{State: NoPort}}
	}
	relevant := slices.DeleteFunc(slices.Clone(seen), func(e Endpoint) bool {
		return e.Guessed && !slices.Contains([]EndpointState{Current, Previous, Other, Ahead}, e.State)
	})
	if len(relevant) > 0 {
		return relevant
	}
	return []Endpoint{slices.MinFunc(seen, func(a, b Endpoint) int {
		return slices.Index(severity, a.State) - slices.Index(severity, b.State)
	})}
}
