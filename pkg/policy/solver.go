package policy

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
)

// Solver is what rules read of one of an issuer's solvers.
type Solver struct {
	// HTTP01 and DNS01 are the challenges that it can meet (RFC 8555, section 8).
	HTTP01, DNS01 bool
	// Labels, Names and Zones are its selector. An empty one matches everything.
	Labels       map[string]string
	Names, Zones []string
	// Ingress is true when it answers HTTP-01 by an Ingress. Class is that Ingress's class, empty when it names none, and
	// ClassField the field that names it, ingressClassName or class.
	Ingress           bool
	Class, ClassField string
}

// NewSolvers reduces an issuer's spec.acme.solvers, in their order.
func NewSolvers(list []acmeapi.ACMEChallengeSolver) []Solver {
	out := make([]Solver, 0, len(list))
	for _, s := range list {
		kept := Solver{HTTP01: s.HTTP01 != nil, DNS01: s.DNS01 != nil}
		if s.Selector != nil {
			kept.Labels, kept.Names, kept.Zones = s.Selector.MatchLabels, s.Selector.DNSNames, s.Selector.DNSZones
		}
		if s.HTTP01 != nil && s.HTTP01.Ingress != nil {
			kept.Ingress = true
			switch in := s.HTTP01.Ingress; {
			case in.IngressClassName != nil:
				kept.Class, kept.ClassField = *in.IngressClassName, "ingressClassName"
			case in.Class != nil:
				kept.Class, kept.ClassField = *in.Class, "class"
			}
		}
		out = append(out, kept)
	}
	return out
}

// PickSolver returns the index of the solver that cert-manager takes to prove a name (cert-manager,
// pkg/util/solverpicker and pkg/controller/acmeorders/selectors); false when none can. Labels are the Certificate's,
// which its Order inherits. A solver that selects the name itself comes first, then the one with the longest zone, then
// the one with the most labels, then the first.
func PickSolver(solvers []Solver, name string, labels map[string]string) (int, bool) {
	name = strings.ToLower(name) // as the CA writes it into its authorization, which is what cert-manager compares
	best, found := specificity{}, -1
	for i, s := range solvers {
		got, ok := s.matches(name, labels)
		if ok && (found < 0 || got.beats(best)) {
			best, found = got, i
		}
	}
	return found, found >= 0
}

// specificity is how closely a selector describes a name.
type specificity struct{ names, zone, labels int }

func (s specificity) beats(other specificity) bool {
	switch {
	case s.names != other.names:
		return s.names > other.names
	case s.zone != other.zone:
		return s.zone > other.zone
	default:
		return s.labels > other.labels
	}
}

func (s Solver) matches(name string, labels map[string]string) (specificity, bool) {
	var got specificity
	if !s.offered(name) {
		return got, false
	}
	for k, v := range s.Labels {
		if have, ok := labels[k]; !ok || have != v {
			return got, false
		}
	}
	got.labels = len(s.Labels)
	if len(s.Names) > 0 {
		if !slices.Contains(s.Names, name) {
			return got, false
		}
		got.names = 1
	}
	for _, zone := range s.Zones {
		got.zone = max(got.zone, zoneLabels(zone, name))
	}
	return got, len(s.Zones) == 0 || got.zone > 0
}

// offered reports whether a CA accepts a challenge of the solver's for a name: a wildcard is proved by DNS-01 alone
// (CA/Browser Forum, Baseline Requirements, section 3.2.2.4.19), an address never by it (RFC 8738, section 7).
func (s Solver) offered(name string) bool {
	if strings.HasPrefix(name, "*.") {
		return s.DNS01
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return s.HTTP01
	}
	return s.HTTP01 || s.DNS01
}

// zoneLabels is the number of labels of a zone that a name lies in, else 0. Names are compared label by label from the
// right and without regard to case, so an asterisk is a label like any other; a zone that ends in a dot has no name in
// it (github.com/miekg/dns, CompareDomainName).
func zoneLabels(zone, name string) int {
	z, n := strings.Split(strings.ToLower(zone), "."), strings.Split(name, ".")
	if z[0] == "" || len(z) > len(n) || !slices.Equal(z, n[len(n)-len(z):]) {
		return 0
	}
	return len(z)
}

// sameSolvers reports whether two lists mean the same: every field counts, since every one can make a challenge fail,
// but not the order of a selector's items, nor whether an empty selector is written down.
func sameSolvers(a, b []acmeapi.ACMEChallengeSolver) bool {
	x, errX := json.Marshal(plain(a))
	y, errY := json.Marshal(plain(b))
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func plain(list []acmeapi.ACMEChallengeSolver) []acmeapi.ACMEChallengeSolver {
	out := slices.Clone(list)
	for i := range out {
		s := out[i].Selector
		if s == nil {
			continue
		}
		if len(s.MatchLabels)+len(s.DNSNames)+len(s.DNSZones) == 0 {
			out[i].Selector = nil
			continue
		}
		out[i].Selector = &acmeapi.CertificateDNSNameSelector{
			MatchLabels: s.MatchLabels, DNSNames: slices.Sorted(slices.Values(s.DNSNames)), DNSZones: slices.Sorted(slices.Values(s.DNSZones)),
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}
