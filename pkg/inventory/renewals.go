package inventory

import (
	"slices"
	"time"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/policy"
)

// byCertificate indexes Orders by namespace/Certificate.
const byCertificate = "certificate"

var orderIndexers = toolscache.Indexers{
	byCertificate: func(object any) ([]string, error) {
		o, ok := object.(*acmeapi.Order)
		if !ok || o.Annotations[cmapi.CertificateNameKey] == "" {
			return nil, nil
		}
		return []string{o.Namespace + "/" + o.Annotations[cmapi.CertificateNameKey]}, nil
	},
}

// DueRenewal reports whether an Order renews, at its time, a certificate that is in use: its Certificate has been issued
// before, still names this issuer, is at or past its renewal time, and nothing speaks against the CA having issued the
// very same names. What would speak against it is an earlier Order that is complete: for other names, or at a directory
// that is known to be another one. cert-manager keeps the last Order; when somebody has removed it, the renewal counts as
// due, because a certificate that ends is worse than an order too many.
func (i *Inventory) DueRenewal(namespace string, order policy.Renewal, directories acme.Directories, now time.Time) bool {
	s := i.certManager.Load()
	if s == nil || order.Certificate == "" {
		return false
	}
	object, ok, err := s.certificates.GetIndexer().GetByKey(namespace + "/" + order.Certificate)
	if err != nil || !ok || !isDue(object, order.Issuer, now) {
		return false
	}
	earlier, err := s.orders.GetIndexer().ByIndex(byCertificate, namespace+"/"+order.Certificate)
	if err != nil {
		return false // only for an index that does not exist
	}
	contradicted := false
	for _, e := range earlier {
		o, ok := e.(*acmeapi.Order)
		if !ok || o.Status.State != acmeapi.Valid {
			continue
		}
		at := directories.Lookup(o.Status.URL)
		elsewhere := at.Stage != acme.Unknown && at.Host != order.Directory.Host
		if !elsewhere && slices.Equal(names(o), order.Names) {
			return true
		}
		contradicted = true
	}
	return !contradicted
}

// isDue reports whether a Certificate was issued before, names the issuer and is at or past its renewal time.
func isDue(object any, issuer policy.IssuerRef, now time.Time) bool {
	c, ok := object.(*cmapi.Certificate)
	if !ok || policy.NewIssuerRef(c.Spec.IssuerRef.Name, c.Spec.IssuerRef.Kind, c.Spec.IssuerRef.Group) != issuer {
		return false
	}
	issued := c.Status.NotAfter != nil && c.Status.Revision != nil && *c.Status.Revision > 0
	return issued && c.Status.RenewalTime != nil && !now.Before(c.Status.RenewalTime.Time)
}

// names are the identifiers of an Order: lower case, sorted, each once.
func names(o *acmeapi.Order) []string {
	return policy.Identifiers(o.Spec.CommonName, o.Spec.DNSNames, o.Spec.IPAddresses)
}
