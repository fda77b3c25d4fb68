// Rule wildcard-zone: an asterisk in a solver's dnsZones matches nothing but itself.
//
// cert-manager compares zones label by label from the right (pkg/controller/acmeorders/selectors/dns_zones.go), and a
// zone covers every name below it, wildcards included. "*.example.com" as a zone covers the one name *.example.com and
// only for DNS-01, since no wildcard is proved by HTTP-01. www.example.com is not in it, and its Order stays pending for
// ever.
//
// Restricted objects: Issuers and ClusterIssuers of type ACME, by spec.acme.solvers[].selector.dnsZones.
//
// Refused: a solver none of whose zones can ever match, unless it was there before the update. Warned about: a zone with
// an asterisk beside good ones, or one that covers a single wildcard.
//
// Allowed: an asterisk in dnsNames, where it is that very name.
//
// Reasons: dead-solver, wildcard-zone.

package policy

import (
	"fmt"
	"slices"
	"strings"
)

// WildcardZone is the name of the rule in rule_wildcard_zone.go.
const WildcardZone RuleName = "wildcard-zone"

// The reasons of [WildcardZone].
const (
	ReasonDeadSolver   Reason = "dead-solver"
	ReasonWildcardZone Reason = "wildcard-zone"
)

var wildcardZone = Rule{
	Name:     WildcardZone,
	Reasons:  []Reason{ReasonDeadSolver, ReasonWildcardZone},
	Concerns: solversChanged,
	Check:    checkWildcardZone,
}

func checkWildcardZone(r Request) Finding {
	if !forACME(r, IssuerKind, ClusterIssuer) {
		return Finding{}
	}
	var lines []string
	for i, s := range r.Issuer.Solvers {
		for _, zone := range s.Zones {
			if !strings.Contains(zone, "*") {
				continue
			}
			line := fmt.Sprintf("spec.acme.solvers[%d]: dnsZones %q matches no name", i, zone)
			if !deadZone(s, zone) {
				line = fmt.Sprintf("spec.acme.solvers[%d]: dnsZones %q matches that wildcard alone and no name below", i, zone)
			}
			if better := withoutAsterisk(zone); better != "" {
				line += fmt.Sprintf("; write %q", better)
			}
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return Finding{}
	}
	before := deadZones(r.Old)
	for i, s := range r.Issuer.Solvers {
		if !dead(s) || slices.ContainsFunc(before, func(zones []string) bool { return slices.Equal(zones, s.Zones) }) {
			continue
		}
		message := fmt.Sprintf("%s: spec.acme.solvers[%d] can never be used, because its dnsZones match no name: %s. "+
			"cert-manager compares zones label by label, and an asterisk is a label like any other", subject(r), i, some(s.Zones))
		if better := withoutAsterisk(s.Zones[0]); better != "" {
			message += fmt.Sprintf(". Write %q instead, which covers every name below it, wildcards included", better)
		}
		return refuse(r, WildcardZone, ReasonDeadSolver, message, lines...)
	}
	return advise(WildcardZone, ReasonWildcardZone, lines...)
}

// dead reports whether a solver has zones and none of them can match a name.
func dead(s Solver) bool {
	return len(s.Zones) > 0 && !slices.ContainsFunc(s.Zones, func(z string) bool { return !deadZone(s, z) })
}

// deadZone reports whether a zone has an asterisk where no name has one: names begin with it or have none.
func deadZone(s Solver, zone string) bool {
	rest, first := strings.CutPrefix(zone, "*.")
	if first && s.DNS01 {
		return strings.Contains(rest, "*")
	}
	return strings.Contains(zone, "*")
}

func deadZones(old *Object) [][]string {
	if old == nil {
		return nil
	}
	spec := old.ACME()
	if spec == nil {
		return nil
	}
	var out [][]string
	for _, s := range NewSolvers(spec.Solvers) {
		if dead(s) {
			out = append(out, s.Zones)
		}
	}
	return out
}

// withoutAsterisk is the zone that was meant; empty when nobody can tell.
func withoutAsterisk(zone string) string {
	rest, ok := strings.CutPrefix(zone, "*.")
	if !ok || strings.Contains(rest, "*") {
		return ""
	}
	return rest
}
