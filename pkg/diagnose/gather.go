package diagnose

import (
	"slices"
	"strings"
	"time"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/certwire/certwire/pkg/policy"
)

// Objects are a Certificate and what stands around it, as the API server has them, for whoever does not keep facts.
type Objects struct {
	Certificate *cmapi.Certificate
	// Certificates, Requests and Orders are those of its namespace, Challenges those of all namespaces that may be seen.
	Certificates []cmapi.Certificate
	Requests     []cmapi.CertificateRequest
	Orders       []acmeapi.Order
	Challenges   []acmeapi.Challenge
	// Issuer is nil when there is none; of an external one, any.
	Issuer *Issuer
	// Ingresses are those of the namespace with cert-manager's label; nil where nobody knows.
	Ingresses []networkingv1.Ingress
	// Classes are the names of the IngressClasses; nil where nobody knows.
	Classes []string
	Hidden  Hidden
}

// Ref is the issuer that a Certificate names.
func Ref(c *cmapi.Certificate) policy.IssuerRef {
	return policy.NewIssuerRef(c.Spec.IssuerRef.Name, c.Spec.IssuerRef.Kind, c.Spec.IssuerRef.Group)
}

// Facts picks what belongs to the Certificate.
func (o Objects) Facts(now time.Time) Facts {
	f := Facts{Now: now, Certificate: NewCertificate(o.Certificate), Issuer: Issuer{Ref: Ref(o.Certificate)}, Classes: o.Classes, Hidden: o.Hidden}
	if o.Issuer != nil {
		f.Issuer = *o.Issuer
	}
	for i := range o.Certificates {
		if c := &o.Certificates[i]; c.Namespace == o.Certificate.Namespace && c.Name != o.Certificate.Name && c.Spec.SecretName == o.Certificate.Spec.SecretName {
			f.Sharing = append(f.Sharing, Sibling{Name: c.Name, Created: c.CreationTimestamp.Time})
		}
	}
	var requests []*Request
	for i := range o.Requests {
		if r := &o.Requests[i]; r.Annotations[cmapi.CertificateNameKey] == o.Certificate.Name {
			requests = append(requests, NewRequest(r))
		}
	}
	if f.Request = Newest(f.Certificate.Revision, requests); f.Request == nil {
		return f
	}
	var orders []*Order
	for i := range o.Orders {
		orders = append(orders, NewOrder(&o.Orders[i]))
	}
	if f.Order = Of(f.Request, orders); f.Order == nil {
		return f
	}
	o.challenges(&f)
	return f
}

// challenges picks the Order's, those that it may wait for, and their Ingresses.
func (o Objects) challenges(f *Facts) {
	for i := range o.Challenges {
		ch := NewChallenge(&o.Challenges[i])
		if ch.Processing {
			f.Busy = append(f.Busy, ch)
		}
		if ch.Namespace == f.Certificate.Namespace && ch.Order == f.Order.Name && ch.State != acmeapi.Valid {
			f.Challenges = append(f.Challenges, ch)
		}
	}
	Sort(f.Challenges)
	if o.Ingresses != nil {
		f.Ingresses = []Ingress{}
	}
	for i := range o.Ingresses {
		if in := NewIngress(&o.Ingresses[i]); slices.ContainsFunc(f.Challenges, func(ch *Challenge) bool { return ch.Name == in.Challenge }) {
			f.Ingresses = append(f.Ingresses, in)
		}
	}
}

// Of returns the newest Order of a request; nil when it has none.
func Of(r *Request, orders []*Order) *Order {
	var out *Order
	for _, o := range orders {
		if o.Request == r.Name && (out == nil || o.Created.After(out.Created)) {
			out = o
		}
	}
	return out
}

// Sort orders Challenges by their names, so that the same facts always tell the same.
func Sort(challenges []*Challenge) {
	slices.SortFunc(challenges, func(a, b *Challenge) int { return strings.Compare(a.Name, b.Name) })
}
