package inventory

import (
	"slices"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/certwire/certwire/pkg/diagnose"
	"github.com/certwire/certwire/pkg/policy"
)

// stripWaiting is strip, and keeps of Certificates and issuers what says why something waits, and of Orders and Challenges
// that have not come to an end all that a diagnosis reads. What is issued and ready costs next to nothing.
func stripWaiting(object any) (any, error) {
	switch o := object.(type) {
	case *cmapi.Certificate:
		kept := stripCertificate(o)
		kept.DeletionTimestamp = o.DeletionTimestamp
		kept.Status.LastFailureTime, kept.Status.FailedIssuanceAttempts = o.Status.LastFailureTime, o.Status.FailedIssuanceAttempts
		kept.Status.NextPrivateKeySecretName = o.Status.NextPrivateKeySecretName
		for _, c := range o.Status.Conditions {
			if c.Status == cmmeta.ConditionTrue && c.Type == cmapi.CertificateConditionReady {
				c = cmapi.CertificateCondition{Type: cmapi.CertificateConditionReady, Status: cmmeta.ConditionTrue} // of most of them
			}
			c.Message = c.Message[:min(len(c.Message), maxReason)]
			kept.Status.Conditions = append(kept.Status.Conditions, c)
		}
		return kept, nil
	case *cmapi.Issuer:
		kept := &cmapi.Issuer{ObjectMeta: identity(o.ObjectMeta), Spec: stripIssuer(o.Spec), Status: stripIssuerStatus(o.Status)}
		keepUnready(&kept.Status, o.Status)
		return kept, nil
	case *cmapi.ClusterIssuer:
		kept := &cmapi.ClusterIssuer{ObjectMeta: identity(o.ObjectMeta), Spec: stripIssuer(o.Spec), Status: stripIssuerStatus(o.Status)}
		keepUnready(&kept.Status, o.Status)
		return kept, nil
	case *acmeapi.Order:
		kept := stripOrder(o)
		if o.Status.State != acmeapi.Valid {
			kept.Waiting = diagnose.NewOrder(o)
		}
		return kept, nil
	case *acmeapi.Challenge:
		kept := stripChallenge(o)
		if o.Status.State != acmeapi.Valid {
			kept.Waiting = diagnose.NewChallenge(o)
		}
		return kept, nil
	}
	return strip(object)
}

// keepUnready keeps what an issuer that is not ready says.
func keepUnready(kept *cmapi.IssuerStatus, of cmapi.IssuerStatus) {
	for i := range kept.Conditions {
		for _, c := range of.Conditions {
			if c.Type == kept.Conditions[i].Type && c.Status != cmmeta.ConditionTrue {
				kept.Conditions[i].Message, kept.Conditions[i].LastTransitionTime = c.Message[:min(len(c.Message), maxReason)], c.LastTransitionTime
			}
		}
	}
}

// onWaiting notices when a Certificate begins or ends to wait.
func (i *Inventory) onWaiting() toolscache.ResourceEventHandler {
	return handler(func(before, after any) {
		was, _ := before.(*cmapi.Certificate)
		is, _ := after.(*cmapi.Certificate)
		if is == nil || (was != nil && sameWait(was, is)) {
			return
		}
		i.issuance(is.Namespace, is.Name)
	})
}

func sameWait(was, is *cmapi.Certificate) bool {
	return slices.EqualFunc(was.Status.Conditions, is.Status.Conditions, func(a, b cmapi.CertificateCondition) bool {
		return a.Type == b.Type && a.Status == b.Status && a.Reason == b.Reason && a.Message == b.Message
	}) && was.Status.LastFailureTime.Equal(is.Status.LastFailureTime) && was.Spec.SecretName == is.Spec.SecretName && was.Spec.IssuerRef == is.Spec.IssuerRef
}

// requestWaits, orderWaits and challengeWaits notice what has changed in what a Certificate waits for. Either state may be
// nil.
func (i *Inventory) requestWaits(was, is *Request) {
	if was == nil {
		was = &Request{}
	}
	of := is
	if is == nil {
		is, of = &Request{}, was
	}
	if of.Certificate != "" && changed(was.Waiting, is.Waiting) {
		i.issuance(of.Namespace, of.Certificate)
	}
}

func (i *Inventory) orderWaits(was, is *Order) {
	if was == nil {
		was = &Order{}
	}
	of := is
	if is == nil {
		is, of = &Order{}, was
	}
	if of.Certificate == "" {
		return
	}
	a, b := was.Waiting, is.Waiting
	if (a == nil) != (b == nil) || (a != nil && (a.State != b.State || a.Reason != b.Reason || a.Known != b.Known)) {
		i.issuance(of.Namespace, of.Certificate)
	}
}

func (i *Inventory) challengeWaits(was, is *Challenge) {
	if was == nil {
		was = &Challenge{}
	}
	if is == nil {
		is = &Challenge{}
	}
	of := is.Waiting
	if of == nil {
		of = was.Waiting
	}
	s := i.certManager.Load()
	if s == nil || !changed(was.Waiting, is.Waiting) {
		return
	}
	i.waitsFor(s, of)
}

// waitsFor tells of the Certificate that waits for a Challenge.
func (i *Inventory) waitsFor(s *stores, ch *diagnose.Challenge) {
	object, _, err := s.orders.GetIndexer().GetByKey(ch.Namespace + "/" + ch.Order)
	if o, ok := object.(*Order); err == nil && ok && o.Certificate != "" {
		i.issuance(o.Namespace, o.Certificate)
	}
}

// changed compares two sets of facts, of which either may be nil.
func changed[T comparable](was, is *T) bool {
	if was == nil || is == nil {
		return was != is
	}
	return *was != *is
}

// onIssuer has those looked at that wait for an issuer.
func (i *Inventory) onIssuer() toolscache.ResourceEventHandler {
	return handler(func(before, after any) {
		was, is := issuerFacts(before), issuerFacts(after)
		if was.Found == is.Found && was.Ready == is.Ready && was.Reason == is.Reason && was.Message == is.Message && len(was.Solvers) == len(is.Solvers) {
			return
		}
		s := i.certManager.Load()
		ref, namespace := is.Ref, issuerNamespace(after)
		if !is.Found {
			ref, namespace = was.Ref, issuerNamespace(before)
		}
		if s == nil {
			return
		}
		objects, err := s.certificates.GetIndexer().ByIndex(byIssuer, ref.Kind+"/"+ref.Name)
		if err != nil {
			return // only for an index that does not exist
		}
		for _, object := range objects {
			if c, ok := object.(*cmapi.Certificate); ok && (namespace == "" || namespace == c.Namespace) {
				i.issuance(c.Namespace, c.Name)
			}
		}
	})
}

func issuerNamespace(object any) string {
	if o, ok := object.(*cmapi.Issuer); ok {
		return o.Namespace
	}
	return ""
}

// issuerFacts reads an issuer from the cache; the zero value when there is none.
func issuerFacts(object any) diagnose.Issuer {
	switch o := object.(type) {
	case *cmapi.Issuer:
		return diagnose.NewIssuer(policy.NewIssuerRef(o.Name, string(policy.IssuerKind), ""), &o.Spec, &o.Status)
	case *cmapi.ClusterIssuer:
		return diagnose.NewIssuer(policy.NewIssuerRef(o.Name, string(policy.ClusterIssuer), ""), &o.Spec, &o.Status)
	}
	return diagnose.Issuer{}
}
