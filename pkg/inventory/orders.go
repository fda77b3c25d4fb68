package inventory

import (
	"crypto/x509"
	"encoding/pem"
	"time"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/diagnose"
	"github.com/certwire/certwire/pkg/policy"
)

// Order is an Order as the cache keeps it: for whom, for which names, at which CA, and how far it has come.
type Order struct {
	metav1.ObjectMeta
	// Certificate is the name in cert-manager's annotation; empty for a request that no Certificate made.
	Certificate string
	Issuer      policy.IssuerRef
	// Names are the identifiers, as policy.Identifiers gives them.
	Names []string
	// State and URL are the CA's; Reason is what it said when it failed.
	State       acmeapi.State
	URL, Reason string
	// Issued is the certificate's notBefore or, of an Order older than a month, when the Order was created; zero when there is
	// no certificate, or it cannot be read.
	Issued time.Time
	// Waiting is what is known of one that has no certificate; only where leaves are kept, see [CacheOptions].
	Waiting *diagnose.Order
}

// maxReason bounds what is kept of a CA's refusal. What matters of it, the time, is in its first few hundred bytes.
const maxReason = 1024

// readsCertificates is how old an Order may be for its certificate to be read: older ones use up no limit.
const readsCertificates = 31 * 24 * time.Hour

func stripOrder(o *acmeapi.Order) *Order {
	kept := &Order{
		ObjectMeta:  identity(o.ObjectMeta),
		Certificate: o.Annotations[cmapi.CertificateNameKey],
		Issuer:      policy.NewIssuerRef(o.Spec.IssuerRef.Name, o.Spec.IssuerRef.Kind, o.Spec.IssuerRef.Group),
		Names:       policy.Identifiers(o.Spec.CommonName, o.Spec.DNSNames, o.Spec.IPAddresses),
		State:       o.Status.State, URL: o.Status.URL,
	}
	kept.CreationTimestamp = o.CreationTimestamp
	switch {
	case o.Status.State == acmeapi.Errored || o.Status.State == acmeapi.Invalid:
		kept.Reason = o.Status.Reason[:min(len(o.Status.Reason), maxReason)]
	case o.Status.State != acmeapi.Valid:
	case time.Since(o.CreationTimestamp.Time) < readsCertificates:
		kept.Issued = notBefore(o.Status.Certificate)
	default:
		kept.Issued = o.CreationTimestamp.Time
	}
	return kept
}

// notBefore reads the leaf of a chain in PEM; the zero time when it cannot be read.
func notBefore(chain []byte) time.Time {
	block, _ := pem.Decode(chain)
	if block == nil {
		return time.Time{}
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return time.Time{}
	}
	return leaf.NotBefore
}

// byCertificate indexes Orders by namespace/Certificate.
const byCertificate = "certificate"

var orderIndexers = toolscache.Indexers{
	byCertificate: func(object any) ([]string, error) {
		o, ok := object.(*Order)
		if !ok || o.Certificate == "" {
			return nil, nil
		}
		return []string{o.Namespace + "/" + o.Certificate}, nil
	},
}

func (i *Inventory) onOrder() toolscache.ResourceEventHandler {
	events := handler(func(before, after any) {
		was, _ := before.(*Order)
		is, _ := after.(*Order)
		if was == nil && is != nil && is.Certificate != "" {
			i.creations.ordered(is.Namespace, is.Certificate, is.CreationTimestamp.Time)
		}
		i.orderWaits(was, is)
		switch {
		case is != nil && (was == nil || was.State != is.State || was.URL != is.URL || was.Reason != is.Reason):
			i.order(is, false)
		case is == nil && was != nil:
			i.order(was, true)
		}
	})
	return toolscache.ResourceEventHandlerDetailedFuncs{
		AddFunc:    events.OnAdd,
		UpdateFunc: events.OnUpdate,
		DeleteFunc: func(object any) {
			gone, missed := object.(toolscache.DeletedFinalStateUnknown)
			if o, ok := gone.Obj.(*Order); ok && missed && o.URL != "" && (o.State == "" || o.State == acmeapi.Pending) {
				last := *o
				last.State = acmeapi.Processing // its end was missed, so it may have been issued
				object = &last
			}
			events.OnDelete(object)
		},
	}
}

// Orders calls f for every Order until it returns false.
func (i *Inventory) Orders(f func(*Order) bool) {
	s := i.certManager.Load()
	if s == nil {
		return
	}
	for _, object := range s.orders.GetIndexer().List() {
		if o, ok := object.(*Order); ok && !f(o) {
			return
		}
	}
}

// ShowOrders shows every Order to the function that is told of Orders, once more.
func (i *Inventory) ShowOrders() {
	i.Orders(func(o *Order) bool {
		i.order(o, false)
		return true
	})
}

// OrdersOf returns the Orders of a Certificate, by its name, in no order.
func (i *Inventory) OrdersOf(namespace, certificate string) []*Order {
	s := i.certManager.Load()
	if s == nil {
		return nil
	}
	objects, err := s.orders.GetIndexer().ByIndex(byCertificate, namespace+"/"+certificate)
	if err != nil {
		return nil // only for an index that does not exist
	}
	out := make([]*Order, 0, len(objects))
	for _, object := range objects {
		if o, ok := object.(*Order); ok {
			out = append(out, o)
		}
	}
	return out
}

// RenewalWindowOpen reports whether the renewal window that the CA suggests for a Certificate's present certificate is
// open (ARI, RFC 9773), as far as its status tells.
func (i *Inventory) RenewalWindowOpen(namespace, certificate string, now time.Time) bool {
	c := i.certificate(namespace, certificate)
	if c == nil || c.Status.NotBefore == nil || c.Status.NotAfter == nil {
		return false
	}
	start, end := acme.ARIWindow(c.Status.NotBefore.Time, c.Status.NotAfter.Time)
	return !now.Before(start) && now.Before(end)
}

func (i *Inventory) certificate(namespace, name string) *cmapi.Certificate {
	s := i.certManager.Load()
	if s == nil {
		return nil
	}
	object, ok, err := s.certificates.GetIndexer().GetByKey(namespace + "/" + name)
	if err != nil || !ok {
		return nil
	}
	c, _ := object.(*cmapi.Certificate)
	return c
}
