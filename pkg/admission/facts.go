package admission

import (
	"context"

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

// gather adds what the inventory knows, as far as a rule can come to ask for it.
func (h *Guard) gather(facts *policy.Request, labels map[string]string, settings *config.Settings) {
	facts.Gather(inventoried{h.Issuance}, labels, settings.Environments, settings.Directories, h.Now())
}

// inventoried is the inventory in the words of package policy, which knows neither contexts nor workloads.
type inventoried struct{ Issuance }

// LabelsAtHand implements [policy.Surroundings].
func (i inventoried) LabelsAtHand(namespace string) (map[string]string, bool) {
	labels, err := i.NamespaceLabels(expired, namespace)
	return labels, err == nil
}

// Writers implements [policy.Surroundings].
func (i inventoried) Writers(namespace, secret string) []string {
	var names []string
	for _, c := range i.Certificates(namespace, secret) {
		names = append(names, c.Name)
	}
	return names
}

// expired is a context for look-ups that must be answered from memory or not at all.
var expired = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()
