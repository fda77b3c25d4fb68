package inventory

import (
	"slices"
	"strings"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"

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
	return describe(ref, object, directories)
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
		if issuer := describe(policy.NewIssuerRef(name, kind, ""), object, directories); issuer.Directory.Stage == acme.Staging {
			found = append(found, issuer)
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

// describe reads an issuer from the cache.
func describe(ref policy.IssuerRef, object any, directories acme.Directories) policy.Issuer {
	var spec cmapi.IssuerSpec
	var status cmapi.IssuerStatus
	switch o := object.(type) {
	case *cmapi.Issuer:
		spec, status = o.Spec, o.Status
	case *cmapi.ClusterIssuer:
		spec, status = o.Spec, o.Status
	}
	out := policy.NewIssuer(ref, spec.ACME, directories)
	if status.ACME != nil {
		out.Account = status.ACME.URI
	}
	for _, c := range status.Conditions {
		if out.Ready = c.Status == cmmeta.ConditionTrue; !out.Ready {
			out.Unready = c.Reason
		}
	}
	return out
}

// stripIssuer keeps the solvers whole: what a rehearsal has to have the same of is every field of them.
func stripIssuer(spec cmapi.IssuerSpec) cmapi.IssuerSpec {
	if spec.ACME == nil {
		return cmapi.IssuerSpec{}
	}
	return cmapi.IssuerSpec{IssuerConfig: cmapi.IssuerConfig{ACME: &acmeapi.ACMEIssuer{
		Server: spec.ACME.Server, Profile: spec.ACME.Profile, Solvers: spec.ACME.Solvers,
	}}}
}

// stripIssuerStatus keeps the account and whether the issuer is ready.
func stripIssuerStatus(status cmapi.IssuerStatus) cmapi.IssuerStatus {
	var kept cmapi.IssuerStatus
	if status.ACME != nil && status.ACME.URI != "" {
		kept.ACME = &acmeapi.ACMEIssuerStatus{URI: status.ACME.URI}
	}
	for _, c := range status.Conditions {
		if c.Type == cmapi.IssuerConditionReady {
			kept.Conditions = []cmapi.IssuerCondition{{Type: c.Type, Status: c.Status, Reason: c.Reason}}
		}
	}
	return kept
}
