package inventory

import (
	"crypto/x509"
	"encoding/pem"
	"time"

	apiutil "github.com/cert-manager/cert-manager/pkg/api/util"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/certwire/certwire/pkg/diagnose"
	"github.com/certwire/certwire/pkg/policy"
	"github.com/certwire/certwire/pkg/probe"
)

// Request is a CertificateRequest as the cache keeps it. Only one whose Order was refused is kept in more than name.
type Request struct {
	metav1.ObjectMeta
	// Certificate is the name in cert-manager's annotation; empty for a request that no Certificate made.
	Certificate string
	Issuer      policy.IssuerRef
	// Refusal is certwire's own text in the condition, or begins with [Unreachable]; empty for a request that is not held up by
	// certwire.
	Refusal string
	// Names are the identifiers in the signing request, of one that is held up.
	Names []string
	// Revision is the Certificate's revision that it is for, Leaf what came of it, and IssuedAt when; only where leaves are
	// kept, see [CacheOptions], and of a request that was granted.
	Revision int64
	Leaf     *probe.Leaf
	IssuedAt time.Time
	// Waiting is what is known of one that was not granted; where leaves are kept, too.
	Waiting *diagnose.Request
}

func stripRequest(r *cmapi.CertificateRequest) *Request {
	kept := &Request{
		ObjectMeta: identity(r.ObjectMeta), Certificate: r.Annotations[cmapi.CertificateNameKey],
	}
	kept.CreationTimestamp = r.CreationTimestamp
	ready := apiutil.GetCertificateRequestCondition(r, cmapi.CertificateRequestConditionReady)
	if ready == nil || ready.Status != cmmeta.ConditionFalse || ready.Reason != cmapi.CertificateRequestReasonPending {
		return kept
	}
	if kept.Refusal = diagnose.Refusal(ready.Message); kept.Refusal != "" {
		kept.Issuer = policy.NewIssuerRef(r.Spec.IssuerRef.Name, r.Spec.IssuerRef.Kind, r.Spec.IssuerRef.Group)
		kept.Names = namesIn(r.Spec.Request)
	}
	return kept
}

// Unreachable begins the refusal of a request whose Order the API server could not ask certwire about.
const Unreachable = diagnose.Unreachable

// namesIn reads the names of a signing request in PEM; none when it cannot be read.
func namesIn(request []byte) []string {
	block, _ := pem.Decode(request)
	if block == nil {
		return nil
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil
	}
	ips := make([]string, 0, len(csr.IPAddresses))
	for _, ip := range csr.IPAddresses {
		ips = append(ips, ip.String())
	}
	return policy.Identifiers(csr.Subject.CommonName, csr.DNSNames, ips)
}

// Indexes over CertificateRequests.
const (
	// byRefused has those that are held up under one constant.
	byRefused = "refused"
	// byLeaf has those whose leaf is kept under namespace/Certificate.
	byLeaf = "leaf"
	// byWaiting has those that were not granted under namespace/Certificate.
	byWaiting = "waiting"
)

var requestIndexers = toolscache.Indexers{
	byRefused: func(object any) ([]string, error) {
		if r, ok := object.(*Request); ok && r.Refusal != "" {
			return []string{byRefused}, nil
		}
		return nil, nil
	},
	byLeaf: func(object any) ([]string, error) {
		if r, ok := object.(*Request); ok && r.Leaf != nil {
			return []string{r.Namespace + "/" + r.Certificate}, nil
		}
		return nil, nil
	},
	byWaiting: func(object any) ([]string, error) {
		if r, ok := object.(*Request); ok && r.Waiting != nil && r.Certificate != "" {
			return []string{r.Namespace + "/" + r.Certificate}, nil
		}
		return nil, nil
	},
}

func (i *Inventory) onRequest() toolscache.ResourceEventHandler {
	return handler(func(before, after any) {
		was, _ := before.(*Request)
		is, _ := after.(*Request)
		if (was != nil && was.Refusal != "") || (is != nil && is.Refusal != "") {
			i.refused()
		}
		if is != nil && is.Leaf != nil && (was == nil || was.Leaf == nil) && i.isInSecret(is) {
			i.issued(is.Namespace, is.Certificate)
		}
		i.requestWaits(was, is)
	})
}

// isInSecret reports whether a request's certificate has come to its Secret. cert-manager grants a request, writes the Secret
// and then counts the Certificate's revision up; until then there is nothing to take anywhere, and a look at what still serves
// the certificate before would only be in the way of the one that follows at once.
func (i *Inventory) isInSecret(r *Request) bool {
	c := i.certificate(r.Namespace, r.Certificate)
	return c != nil && int64(revision(c)) == r.Revision
}

// Refused returns the requests whose Orders certwire refused, in no order. They must not be changed.
func (i *Inventory) Refused() []*Request {
	s := i.certManager.Load()
	if s == nil {
		return nil
	}
	objects, err := s.requests.GetIndexer().ByIndex(byRefused, byRefused)
	if err != nil {
		return nil // only for an index that does not exist
	}
	out := make([]*Request, 0, len(objects))
	for _, object := range objects {
		if r, ok := object.(*Request); ok {
			out = append(out, r)
		}
	}
	return out
}

// Owner names the object behind a Certificate: the Ingress, Gateway or ListenerSet that cert-manager made it for. Nil
// when a person made it.
func (i *Inventory) Owner(namespace, certificate string) (self, owner *metav1.OwnerReference) {
	c := i.certificate(namespace, certificate)
	if c == nil {
		return nil, nil
	}
	self = &metav1.OwnerReference{APIVersion: cmapi.SchemeGroupVersion.String(), Kind: cmapi.CertificateKind, Name: c.Name, UID: c.UID}
	return self, metav1.GetControllerOf(c)
}
