package policy

import (
	"encoding/json"
	"slices"
	"strings"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"

	"github.com/certwire/certwire/pkg/acme"
)

// Issuer is what is known of an issuer: from the inventory, or from the admitted object itself. Build it with
// [NewIssuer]; it is read only.
type Issuer struct {
	Ref IssuerRef
	// Found is false when no such object is known.
	Found bool
	// ACME is true when it orders from an ACME directory, which Directory then describes.
	ACME      bool
	Directory acme.Directory
	// Service is what is known of the CA's limits and certificates; its Host is empty when nothing is.
	Service acme.Service
	// Profile is the CA's profile that it asks for; empty for the CA's default.
	Profile string
	// Solvers are its own, in their order.
	Solvers []Solver
	// Ready is true when cert-manager says so. Unready is the reason that cert-manager gives for the opposite, such as
	// ErrRegisterACMEAccount; empty as well while it has not looked at the issuer yet.
	Ready   bool
	Unready string
	// Account is the URL of its account at the CA; empty before it has one.
	Account string

	solvers []acmeapi.ACMEChallengeSolver
}

// NewIssuer describes an issuer that exists by its spec.acme, which is kept and must not be changed afterwards; nil for
// an issuer of another type.
func NewIssuer(ref IssuerRef, spec *acmeapi.ACMEIssuer, directories acme.Directories) Issuer {
	out := Issuer{Ref: ref, Found: true}
	if spec == nil || spec.Server == "" {
		return out
	}
	out.ACME, out.Directory, out.Profile = true, directories.Lookup(spec.Server), spec.Profile
	out.Service, _ = directories.Service(spec.Server)
	out.Solvers, out.solvers = NewSolvers(spec.Solvers), spec.Solvers
	return out
}

// ChooseStaging picks, among issuers in reach of a namespace, the one to use instead of one at a production CA: with a
// staging directory, of the same CA if there is one, rather a ClusterIssuer than an Issuer, first by name. Nil when there is
// none.
func ChooseStaging(inReach []Issuer, ca string) *Issuer {
	found := slices.DeleteFunc(slices.Clone(inReach), func(i Issuer) bool { return i.Directory.Stage != acme.Staging })
	if len(found) == 0 {
		return nil
	}
	rank := func(i Issuer) int {
		n := 0
		if i.Directory.CA != ca {
			n += 2
		}
		if i.Ref.Kind != string(ClusterIssuer) {
			n++
		}
		return n
	}
	best := slices.MinFunc(found, func(a, b Issuer) int {
		if c := rank(a) - rank(b); c != 0 {
			return c
		}
		return strings.Compare(a.Ref.Name, b.Ref.Name)
	})
	return &best
}

// SolvesLike reports whether two issuers have solvers that mean the same.
func (i Issuer) SolvesLike(other Issuer) bool { return sameSolvers(i.solvers, other.solvers) }

// ACME returns spec.acme of an Issuer or ClusterIssuer; nil when it has none. What cannot be read of it counts as empty.
func (o *Object) ACME() *acmeapi.ACMEIssuer {
	raw, ok := o.spec["acme"]
	if !ok || (o.Kind != IssuerKind && o.Kind != ClusterIssuer) {
		return nil
	}
	spec := &acmeapi.ACMEIssuer{}
	if err := json.Unmarshal(raw, spec); err != nil {
		return &acmeapi.ACMEIssuer{Server: o.Server}
	}
	spec.Server = o.Server
	return spec
}
