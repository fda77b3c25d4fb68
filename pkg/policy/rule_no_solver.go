// Rule no-solver: every name of a Certificate has a solver that can prove it.
//
// When cert-manager finds no solver for a name, its Order stays pending for ever: an order is spent at the CA, the reason
// is an event on the Order that goes after an hour, and the Certificate shows nothing. The common cases are a wildcard
// with an issuer that has HTTP-01 solvers alone, and selectors that leave a name out.
//
// Warned about: a Certificate, for every name (dnsNames, ipAddresses, commonName) that no solver of its issuer matches,
// by cert-manager's own order of choice (pkg/util/solverpicker): the challenge must be one that the CA accepts for the
// name (DNS-01 alone for a wildcard, HTTP-01 alone for an IP address), matchLabels must be on the Certificate, a name in
// dnsNames must be equal, a zone in dnsZones must be a suffix of whole labels. Also an Issuer or ClusterIssuer whose new
// solvers match a name no longer that a Certificate has asked it for, as far as cert-manager keeps that Certificate's
// last Order; a solver with matchLabels then counts as if they matched.
//
// It only warns, since the issuer is another object, and a CA may know a name as proved from elsewhere.
//
// Reasons: no-solver, solver-lost.

package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// NoSolver is the name of the rule in rule_no_solver.go.
const NoSolver RuleName = "no-solver"

// The reasons of [NoSolver].
const (
	ReasonNoSolver   Reason = "no-solver"
	ReasonSolverLost Reason = "solver-lost"
)

var noSolver = Rule{
	Name:    NoSolver,
	Reasons: []Reason{ReasonNoSolver, ReasonSolverLost},
	Concerns: func(old, updated Object) bool {
		if updated.Kind == Certificate {
			return namesOrIssuerChanged(old, updated)
		}
		return solversChanged(old, updated)
	},
	Check: checkNoSolver,
}

// namesOrIssuerChanged is what rules about names look at.
var namesOrIssuerChanged = changed("dnsNames", "ipAddresses", "commonName", "uris", "emailAddresses", "issuerRef")

// shownNames is how many names have a warning of their own.
const shownNames = 6

func checkNoSolver(r Request) Finding {
	switch {
	case forACME(r, Certificate):
		return unprovable(r)
	case forACME(r, IssuerKind, ClusterIssuer) && r.Old != nil:
		return solverLost(r)
	}
	return Finding{}
}

func unprovable(r Request) Finding {
	var lines []string
	for _, name := range r.Object.Identifiers() {
		if _, ok := PickSolver(r.Issuer.Solvers, name, r.Object.Labels); !ok {
			lines = append(lines, fmt.Sprintf("no solver of %s can prove %s: %s", r.Issuer.Ref, name, WhyNoSolver(r.Issuer.Solvers, name)))
		}
	}
	if len(lines) == 0 {
		return Finding{}
	}
	return advise(NoSolver, ReasonNoSolver, append(firstLines(lines), "its Order would stay pending, and nothing on the Certificate would say why")...)
}

// WhyNoSolver says in a few words why [PickSolver] finds none of an issuer's solvers for a name.
func WhyNoSolver(solvers []Solver, name string) string {
	if len(solvers) == 0 {
		return "it has none"
	}
	if slices.ContainsFunc(solvers, func(s Solver) bool { return s.offered(name) }) {
		return "no selector matches"
	}
	if strings.HasPrefix(name, "*.") {
		return "a wildcard needs dns01"
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return "an IP address needs http01"
	}
	return "none of them has a challenge"
}

func solverLost(r Request) Finding {
	var before []Solver
	if spec := r.Old.ACME(); spec != nil {
		before = anyLabels(NewSolvers(spec.Solvers))
	}
	after := anyLabels(r.Issuer.Solvers)
	var lines []string
	for _, u := range r.Users {
		for _, name := range u.Names {
			_, had := PickSolver(before, name, nil)
			if _, has := PickSolver(after, name, nil); had && !has {
				lines = append(lines, fmt.Sprintf("no solver matches %s of Certificate %s/%s any longer", name, u.Namespace, u.Name))
			}
		}
	}
	if len(lines) == 0 {
		return Finding{}
	}
	return advise(NoSolver, ReasonSolverLost, append(firstLines(lines), "their next renewals would stay pending")...)
}

// anyLabels is for Certificates whose labels are not known.
func anyLabels(solvers []Solver) []Solver {
	out := slices.Clone(solvers)
	for i := range out {
		out[i].Labels = nil
	}
	return out
}

// firstLines bounds a list of warnings.
func firstLines(lines []string) []string {
	if len(lines) <= shownNames {
		return lines
	}
	return append(slices.Clone(lines[:shownNames-1]), fmt.Sprintf("and %d more", len(lines)-shownNames+1))
}
