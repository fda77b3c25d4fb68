package inventory

import (
	"cmp"
	"slices"
	"strings"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/policy"
)

// Users returns the Certificates that refer to an issuer, sorted, each with the names of its last Order as far as
// cert-manager keeps it. The namespace counts for an Issuer alone.
func (i *Inventory) Users(namespace string, issuer policy.IssuerRef) []policy.User {
	s := i.certManager.Load()
	if s == nil {
		return nil
	}
	objects, err := s.certificates.GetIndexer().ByIndex(byIssuer, issuer.Kind+"/"+issuer.Name)
	if err != nil {
		return nil // only for an index that does not exist
	}
	var out []policy.User
	for _, object := range objects {
		c, ok := object.(*cmapi.Certificate)
		if !ok || (issuer.Kind == string(policy.IssuerKind) && c.Namespace != namespace) {
			continue
		}
		out = append(out, policy.User{Namespace: c.Namespace, Name: c.Name, Names: i.lastNames(c.Namespace, c.Name)})
	}
	slices.SortFunc(out, func(a, b policy.User) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return out
}

// lastNames are the identifiers of a Certificate's Order; of the first by name when cert-manager keeps several.
func (i *Inventory) lastNames(namespace, certificate string) []string {
	orders := i.OrdersOf(namespace, certificate)
	if len(orders) == 0 {
		return nil
	}
	return slices.MinFunc(orders, func(a, b *Order) int { return strings.Compare(a.Name, b.Name) }).Names
}

// Rehearsals returns the issuers of one kind, and for an Issuer of one namespace, that use a staging directory of a CA,
// sorted by name.
func (i *Inventory) Rehearsals(namespace string, kind policy.Kind, ca string, directories acme.Directories) []policy.Issuer {
	s := i.certManager.Load()
	if s == nil {
		return nil
	}
	informer := s.clusterIssuers
	if kind == policy.IssuerKind {
		informer = s.issuers
	}
	var out []policy.Issuer
	for _, object := range informer.GetIndexer().List() {
		name := ""
		switch o := object.(type) {
		case *cmapi.ClusterIssuer:
			name = o.Name
		case *cmapi.Issuer:
			if o.Namespace == namespace {
				name = o.Name
			}
		}
		if name == "" {
			continue
		}
		issuer := describe(policy.NewIssuerRef(name, string(kind), ""), object, directories)
		if issuer.Directory.Stage == acme.Staging && issuer.Directory.CA == ca {
			out = append(out, issuer)
		}
	}
	slices.SortFunc(out, func(a, b policy.Issuer) int { return strings.Compare(a.Ref.Name, b.Ref.Name) })
	return out
}
