package walk

import (
	"strconv"
	"time"

	apiutil "github.com/cert-manager/cert-manager/pkg/api/util"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/chain"
	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/probe"
)

// issuedBy finds the granted request of a Certificate's revision, the last one where cert-manager began anew.
func issuedBy(requests []cmapi.CertificateRequest, c *cmapi.Certificate, revision int64) (*cmapi.CertificateRequest, probe.Leaf) {
	var found *cmapi.CertificateRequest
	var leaf probe.Leaf
	for i := range requests {
		r := &requests[i]
		n, err := strconv.ParseInt(r.Annotations[cmapi.CertificateRequestRevisionAnnotationKey], 10, 64)
		if err != nil || n != revision || r.Annotations[cmapi.CertificateNameKey] != c.Name || r.CreationTimestamp.Time.Before(c.CreationTimestamp.Time) {
			continue
		}
		is, err := leafIn(r.Status.Certificate)
		if err == nil && (found == nil || !issuedAt(r).Before(issuedAt(found))) {
			found, leaf = r, is
		}
	}
	return found, leaf
}

// before are the leaves that were issued for a Certificate besides one, as far as cert-manager has kept its requests.
func before(requests []cmapi.CertificateRequest, c *cmapi.Certificate, newest probe.Fingerprint) []probe.Fingerprint {
	var out []probe.Fingerprint
	for i := range requests {
		r := &requests[i]
		if r.Annotations[cmapi.CertificateNameKey] != c.Name || r.CreationTimestamp.Time.Before(c.CreationTimestamp.Time) {
			continue
		}
		if leaf, err := leafIn(r.Status.Certificate); err == nil && leaf.Fingerprint != newest {
			out = append(out, leaf.Fingerprint)
		}
	}
	return out
}

func issuedAt(r *cmapi.CertificateRequest) time.Time {
	ready := apiutil.GetCertificateRequestCondition(r, cmapi.CertificateRequestConditionReady)
	if ready == nil || ready.Status != cmmeta.ConditionTrue || ready.LastTransitionTime == nil {
		return time.Time{}
	}
	return ready.LastTransitionTime.Time
}

// leafIn reads the first certificate of a chain.
func leafIn(text []byte) (probe.Leaf, error) {
	certificates, err := probe.ParseChain(text)
	if err != nil {
		return probe.Leaf{}, err
	}
	return probe.NewLeaf(certificates[0]), nil
}

// leafOf is a leaf as certwire has kept it.
func leafOf(l *v1alpha1.DeliveredLeaf) probe.Leaf {
	return probe.Leaf{
		Fingerprint: probe.Fingerprint(l.Fingerprint), Serial: l.Serial, Names: l.Names, NotBefore: l.NotBefore.Time, NotAfter: l.NotAfter.Time,
	}
}

func short(l probe.Leaf) chain.Leaf {
	return chain.Leaf{Fingerprint: string(l.Fingerprint), Serial: l.Serial, NotAfter: l.NotAfter}
}
