package inventory

import (
	"slices"
	"strings"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/policy"
)

// Issuer returns what is known of the issuer that an object in a namespace refers to.
func (i *Inventory) Issuer(namespace string, ref policy.IssuerRef, directories acme.Directories) policy.Issuer {
	out := policy.Issuer{Ref: ref}
	s := i.certManager.Load()
	if s == nil || ref.External() {
		return out
	}
	informer, key := s.issuers, namespace+"/"+ref.Name
	switch ref.Kind {
	case string(policy.IssuerKind):
	case string(policy.ClusterIssuer):
		informer, key = s.clusterIssuers, ref.Name
	default:
		return out
	}
	object, ok, err := informer.GetIndexer().GetByKey(key)
	if err != nil || !ok {
		return out
	}
	out.Found = true
	if server := serverOf(object); server != "" {
		out.ACME, out.Directory, out.Account = true, directories.Lookup(server), accountOf(object)
	}
	return out
}

// StagingIssuer returns an issuer that a namespace can use instead of one at a production CA: with a staging
// directory, of the same CA if there is one, rather a ClusterIssuer than an Issuer, first by name. Nil when there is
// none. The choice depends on the cluster's state alone.
func (i *Inventory) StagingIssuer(namespace, ca string, directories acme.Directories) *policy.Issuer {
	s := i.certManager.Load()
	if s == nil {
		return nil
	}
	var found []policy.Issuer
	add := func(kind, name string, object any) {
		d := directories.Lookup(serverOf(object))
		if d.Stage == acme.Staging {
			found = append(found, policy.Issuer{Ref: policy.NewIssuerRef(name, kind, ""), Found: true, ACME: true, Directory: d})
		}
	}
	for _, o := range s.clusterIssuers.GetIndexer().List() {
		if c, ok := o.(*cmapi.ClusterIssuer); ok {
			add(string(policy.ClusterIssuer), c.Name, c)
		}
	}
	for _, o := range s.issuers.GetIndexer().List() {
		if c, ok := o.(*cmapi.Issuer); ok && c.Namespace == namespace {
			add(string(policy.IssuerKind), c.Name, c)
		}
	}
	if len(found) == 0 {
		return nil
	}
	best := slices.MinFunc(found, func(a, b policy.Issuer) int {
		if x, y := a.Directory.CA == ca, b.Directory.CA == ca; x != y {
			return order(x)
		}
		if x, y := a.Ref.Kind == string(policy.ClusterIssuer), b.Ref.Kind == string(policy.ClusterIssuer); x != y {
			return order(x)
		}
		return strings.Compare(a.Ref.Name, b.Ref.Name)
	})
	return &best
}

func order(first bool) int {
	if first {
		return -1
	}
	return 1
}

func serverOf(object any) string {
	var spec cmapi.IssuerSpec
	switch o := object.(type) {
	case *cmapi.Issuer:
		spec = o.Spec
	case *cmapi.ClusterIssuer:
		spec = o.Spec
	}
	if spec.ACME == nil {
		return ""
	}
	return spec.ACME.Server
}

func accountOf(object any) string {
	var status cmapi.IssuerStatus
	switch o := object.(type) {
	case *cmapi.Issuer:
		status = o.Status
	case *cmapi.ClusterIssuer:
		status = o.Status
	}
	if status.ACME == nil {
		return ""
	}
	return status.ACME.URI
}
