package inventory

import (
	"slices"
	"time"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/policy"
)

// DueRenewal reports whether an Order renews, at its time, a certificate that is in use: its Certificate has been issued
// before, still names this issuer, is at or past its renewal time, and nothing speaks against the CA having issued the
// very same names. What would speak against it is an earlier Order that is complete: for other names, or at a directory
// that is known to be another one. cert-manager keeps the last Order; when somebody has removed it, the renewal counts as
// due, because a certificate that ends is worse than an order too many.
func (i *Inventory) DueRenewal(namespace string, order policy.Renewal, directories acme.Directories, now time.Time) bool {
	if order.Certificate == "" {
		return false
	}
	c := i.certificate(namespace, order.Certificate)
	if c == nil || !isDue(c, order.Issuer, now) {
		return false
	}
	contradicted := false
	for _, o := range i.OrdersOf(namespace, order.Certificate) {
		if o.State != acmeapi.Valid {
			continue
		}
		at := directories.Lookup(o.URL)
		elsewhere := at.Stage != acme.Unknown && at.Host != order.Directory.Host
		if !elsewhere && slices.Equal(o.Names, order.Names) {
			return true
		}
		contradicted = true
	}
	return !contradicted
}

// isDue reports whether a Certificate was issued before, names the issuer and is at or past its renewal time.
func isDue(c *cmapi.Certificate, issuer policy.IssuerRef, now time.Time) bool {
	if policy.NewIssuerRef(c.Spec.IssuerRef.Name, c.Spec.IssuerRef.Kind, c.Spec.IssuerRef.Group) != issuer {
		return false
	}
	issued := c.Status.NotAfter != nil && c.Status.Revision != nil && *c.Status.Revision > 0
	return issued && c.Status.RenewalTime != nil && !now.Before(c.Status.RenewalTime.Time)
}
