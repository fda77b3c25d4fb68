package delivery

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

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
// else the ports of the containers that use the Secret. A known server's port that is none of these was moved by its
// owner. The address is the pod's own, whatever anybody wrote.
func targets(p *Pod, secret string, leaf probe.Leaf, presets map[string]spec.Values) []target {
	address, err := netip.ParseAddr(p.IP)
	if err != nil || !dialable(address) {
		return nil
	}
	endpoints, guessed := endpoints(p, secret, presets)
	out := make([]target, 0, len(endpoints))
	for _, e := range endpoints[:min(len(endpoints), maxPorts)] {
		name := e.ServerName
		if name == "" {
			name = serverName(leaf)
		}
		out = append(out, target{Target: probe.Target{
			Address: net.JoinHostPort(address.String(), strconv.Itoa(int(e.Port))), ServerName: name, StartTLS: probe.Protocol(e.StartTLS),
		}, port: e.String(), guessed: guessed})
	}
	return out
}

// dialable keeps out what no pod's address can be, and a cloud's metadata server.
func dialable(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsValid() && !a.IsLoopback() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLinkLocalUnicast()
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

// serverName picks a name that a leaf is for: most servers choose their certificate by the SNI. A wildcard is for any name
// in its place; an address is no SNI.
func serverName(l probe.Leaf) string {
	for _, name := range l.Names {
		if net.ParseIP(name) != nil {
			continue
		}
		if rest, wild := strings.CutPrefix(name, "*."); wild {
			return "certwire." + rest
		}
		return name
	}
	return ""
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
