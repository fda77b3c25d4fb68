package admission

import (
	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/config"
	"github.com/certwire/certwire/pkg/mutate"
	"github.com/certwire/certwire/pkg/policy"
)

// Surroundings is what the rules about a spec ask of the inventory. It answers from memory.
type Surroundings interface {
	// Certificates returns the Certificates of a namespace that write to a Secret, sorted by name.
	Certificates(namespace, secret string) []mutate.Certificate
	// IngressClasses returns the cluster's, sorted; nil when nobody knows them.
	IngressClasses() []string
	// Users returns the Certificates that refer to an issuer, sorted.
	Users(namespace string, issuer policy.IssuerRef) []policy.User
	// Rehearsals returns the issuers of one kind and namespace at a staging directory of a CA, sorted by name.
	Rehearsals(namespace string, kind policy.Kind, ca string, directories acme.Directories) []policy.Issuer
}

// surroundings adds what stands around a Certificate or an issuer.
func (h *Guard) surroundings(facts *policy.Request, settings *config.Settings) {
	o := facts.Object
	switch o.Kind {
	case policy.Certificate:
		facts.Now = h.Now()
		facts.IngressClasses = h.Issuance.IngressClasses()
		for _, c := range h.Issuance.Certificates(facts.Namespace, o.SecretName()) {
			if c.Name != o.Name {
				facts.Sharing = append(facts.Sharing, c.Name)
			}
		}
		if !facts.Issuer.Found {
			facts.OtherKind = h.otherKind(facts.Namespace, *o.Issuer, settings)
		}
	case policy.IssuerKind, policy.ClusterIssuer:
		facts.IngressClasses = h.Issuance.IngressClasses()
		if facts.Old == nil {
			return
		}
		facts.Users = h.Issuance.Users(facts.Namespace, *o.Issuer)
		if d := facts.Issuer.Directory; d.CA != "" {
			facts.StagingHost = settings.Directories.StagingHost(d.CA)
			facts.Rehearsals = h.Issuance.Rehearsals(facts.Namespace, o.Kind, d.CA, settings.Directories)
		}
	}
}

// otherKind looks for an Issuer of a ClusterIssuer's name, and the other way round.
func (h *Guard) otherKind(namespace string, ref policy.IssuerRef, settings *config.Settings) *policy.IssuerRef {
	other := policy.NewIssuerRef(ref.Name, string(policy.ClusterIssuer), "")
	if ref.Kind == string(policy.ClusterIssuer) {
		other = policy.NewIssuerRef(ref.Name, string(policy.IssuerKind), "")
	}
	if !h.Issuance.Issuer(namespace, other, settings.Directories).Found {
		return nil
	}
	return &other
}
