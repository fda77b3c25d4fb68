package inventory

import (
	"crypto/x509"
	"encoding/pem"
	"strconv"
	"time"

	apiutil "github.com/cert-manager/cert-manager/pkg/api/util"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/certwire/certwire/pkg/diagnose"
	"github.com/certwire/certwire/pkg/probe"
)

// Issued is a Certificate as it was issued last.
type Issued struct {
	Namespace, Name string
	UID             types.UID
	// Secret is where cert-manager writes it.
	Secret string
	// Revision counts the issuances; 0 before the first.
	Revision int64
	// Leaf is the certificate of that revision, and At when it was issued, in whole seconds. Leaf is nil when cert-manager
	// has removed the CertificateRequest, or has not made it yet.
	Leaf *probe.Leaf
	At   time.Time
}

// Issued returns a Certificate and what was issued for it; false when there is none. The evidence is the
// CertificateRequest of its revision, which is public: no Secret is read.
func (i *Inventory) Issued(namespace, name string) (Issued, bool) {
	c := i.certificate(namespace, name)
	if c == nil {
		return Issued{}, false
	}
	out := Issued{Namespace: namespace, Name: name, UID: c.UID, Secret: c.Spec.SecretName}
	if c.Status.Revision == nil {
		return out, true
	}
	out.Revision = int64(*c.Status.Revision)
	objects, err := i.certManager.Load().requests.GetIndexer().ByIndex(byLeaf, namespace+"/"+name)
	if err != nil {
		return out, true // only for an index that does not exist
	}
	for _, object := range objects {
		// Several are of one revision when cert-manager began anew; the last one issued is in the Secret.
		if r, ok := object.(*Request); ok && r.Revision == out.Revision && !r.CreationTimestamp.Time.Before(c.CreationTimestamp.Time) && !r.IssuedAt.Before(out.At) {
			out.Leaf, out.At = r.Leaf, r.IssuedAt
		}
	}
	return out, true
}

// AllIssued names every Certificate.
func (i *Inventory) AllIssued() []types.NamespacedName {
	s := i.certManager.Load()
	if s == nil {
		return nil
	}
	var out []types.NamespacedName
	for _, object := range s.certificates.GetIndexer().List() {
		if c, ok := object.(*cmapi.Certificate); ok {
			out = append(out, types.NamespacedName{Namespace: c.Namespace, Name: c.Name})
		}
	}
	return out
}

func (i *Inventory) onIssued() toolscache.ResourceEventHandler {
	return handler(func(before, after any) {
		was, _ := before.(*cmapi.Certificate)
		is, _ := after.(*cmapi.Certificate)
		if was != nil && is != nil && was.UID == is.UID && was.Spec.SecretName == is.Spec.SecretName && revision(was) == revision(is) {
			return
		}
		if is == nil {
			is = was
		}
		if is != nil {
			i.issued(is.Namespace, is.Name)
		}
	})
}

func revision(c *cmapi.Certificate) int {
	if c.Status.Revision == nil {
		return 0
	}
	return *c.Status.Revision
}

// stripButLeaves is strip, and keeps of each request that was granted what its certificate is, and of what was not what says
// why.
func stripButLeaves(object any) (any, error) {
	if r, ok := object.(*cmapi.CertificateRequest); ok {
		return stripLeaf(r), nil
	}
	return stripWaiting(object)
}

func stripLeaf(r *cmapi.CertificateRequest) *Request {
	kept := stripRequest(r)
	ready := apiutil.GetCertificateRequestCondition(r, cmapi.CertificateRequestConditionReady)
	granted := ready != nil && ready.Status == cmmeta.ConditionTrue
	if !granted {
		kept.Waiting = diagnose.NewRequest(r)
	}
	kept.Leaf = leafIn(r.Status.Certificate)
	if kept.Leaf == nil || kept.Certificate == "" {
		return kept
	}
	if granted && ready.LastTransitionTime != nil {
		kept.IssuedAt = ready.LastTransitionTime.Time
	}
	kept.Revision, _ = strconv.ParseInt(r.Annotations[cmapi.CertificateRequestRevisionAnnotationKey], 10, 64)
	return kept
}

// leafIn reads the first certificate of a chain; nil when there is none, or it cannot be read.
func leafIn(chain []byte) *probe.Leaf {
	block, _ := pem.Decode(chain)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	leaf := probe.NewLeaf(c)
	leaf.Issuer = "" // nobody asks, and there are many
	return &leaf
}
