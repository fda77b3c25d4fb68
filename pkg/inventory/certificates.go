package inventory

import (
	"slices"
	"strings"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/certwire/certwire/pkg/mutate"
	"github.com/certwire/certwire/pkg/policy"
)

// Indexes over Certificates.
const (
	byTarget = "target" // namespace/secretName
	byIssuer = "issuer" // kind/name of cert-manager's own issuers
)

var certificateIndexers = toolscache.Indexers{
	byTarget: func(object any) ([]string, error) {
		c, ok := object.(*cmapi.Certificate)
		if !ok || c.Spec.SecretName == "" {
			return nil, nil
		}
		return []string{c.Namespace + "/" + c.Spec.SecretName}, nil
	},
	byIssuer: func(object any) ([]string, error) {
		c, ok := object.(*cmapi.Certificate)
		if !ok {
			return nil, nil
		}
		ref := policy.NewIssuerRef(c.Spec.IssuerRef.Name, c.Spec.IssuerRef.Kind, c.Spec.IssuerRef.Group)
		if ref.External() {
			return nil, nil
		}
		return []string{ref.Kind + "/" + ref.Name}, nil
	},
}

// Certificates returns the Certificates of a namespace that write to a Secret, sorted by name; none for a Secret that
// is not a certificate Secret.
func (i *Inventory) Certificates(namespace, secret string) []mutate.Certificate {
	s := i.certManager.Load()
	if s == nil {
		return nil
	}
	objects, err := s.certificates.GetIndexer().ByIndex(byTarget, namespace+"/"+secret)
	if err != nil || len(objects) == 0 {
		return nil // the error is only for an index that does not exist
	}
	out := make([]mutate.Certificate, 0, len(objects))
	for _, o := range objects {
		c, ok := o.(*cmapi.Certificate)
		if !ok {
			continue
		}
		kept := mutate.Certificate{Name: c.Name}
		if t := c.Spec.SecretTemplate; t != nil {
			kept.SecretLabels, kept.SecretAnnotations = t.Labels, t.Annotations
		}
		out = append(out, kept)
	}
	if len(out) > 1 {
		slices.SortFunc(out, func(a, b mutate.Certificate) int { return strings.Compare(a.Name, b.Name) })
	}
	return out
}

// NamespacesUsing returns the namespaces that have Certificates from an issuer, sorted.
func (i *Inventory) NamespacesUsing(issuer policy.IssuerRef) []string {
	s := i.certManager.Load()
	if s == nil {
		return nil
	}
	objects, err := s.certificates.GetIndexer().ByIndex(byIssuer, issuer.Kind+"/"+issuer.Name)
	if err != nil {
		return nil
	}
	var out []string
	for _, o := range objects {
		if c, ok := o.(*cmapi.Certificate); ok {
			out = append(out, c.Namespace)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
