package inventory

import (
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/certwire/certwire/pkg/diagnose"
	"github.com/certwire/certwire/pkg/policy"
)

// Issuance returns what is known of a Certificate's issuance, for [diagnose.Diagnose], but for the time; false when there is
// no such Certificate. What it points to must not be changed. Only where leaves are kept, see [CacheOptions].
func (i *Inventory) Issuance(namespace, name string) (diagnose.Facts, bool) {
	c := i.certificate(namespace, name)
	if c == nil {
		return diagnose.Facts{}, false
	}
	s := i.certManager.Load()
	f := diagnose.Facts{Certificate: diagnose.NewCertificate(c)}
	for _, o := range indexed[*cmapi.Certificate](s.certificates, byTarget, namespace+"/"+c.Spec.SecretName) {
		if o.Name != name {
			f.Sharing = append(f.Sharing, diagnose.Sibling{Name: o.Name, Created: o.CreationTimestamp.Time})
		}
	}
	f.Issuer = s.issuerOf(namespace, diagnose.Ref(c))
	key := namespace + "/" + name
	var requests []*diagnose.Request
	for _, r := range indexed[*Request](s.requests, byWaiting, key) {
		requests = append(requests, r.Waiting)
	}
	for _, r := range indexed[*Request](s.requests, byLeaf, key) {
		if r.Revision > f.Certificate.Revision && !r.CreationTimestamp.Time.Before(c.CreationTimestamp.Time) {
			requests = append(requests, &diagnose.Request{Name: r.Name, Created: r.CreationTimestamp.Time, Revision: r.Revision, Granted: true})
		}
	}
	if f.Request = diagnose.Newest(f.Certificate.Revision, requests); f.Request == nil {
		return f, true
	}
	var orders []*diagnose.Order
	for _, o := range indexed[*Order](s.orders, byCertificate, key) {
		if o.Waiting != nil {
			orders = append(orders, o.Waiting)
		}
	}
	if f.Order = diagnose.Of(f.Request, orders); f.Order != nil {
		i.challengesOf(s, &f)
	}
	return f, true
}

// challengesOf adds the Challenges of the Order, what they may wait for, and their Ingresses.
func (i *Inventory) challengesOf(s *stores, f *diagnose.Facts) {
	waits := false
	for _, ch := range indexed[*Challenge](s.challenges, byOrder, f.Certificate.Namespace+"/"+f.Order.Name) {
		f.Challenges = append(f.Challenges, ch.Waiting)
		waits = waits || !ch.Waiting.Processing
	}
	diagnose.Sort(f.Challenges)
	if waits {
		for _, object := range s.challenges.GetIndexer().List() {
			if ch, ok := object.(*Challenge); ok && ch.Waiting != nil && ch.Waiting.Processing {
				f.Busy = append(f.Busy, ch.Waiting)
			}
		}
	}
	f.Classes = i.IngressClasses()
	solvers := i.solverIngresses.Load()
	if solvers == nil || !(*solvers).HasSynced() {
		return
	}
	f.Ingresses = []diagnose.Ingress{}
	for _, ch := range f.Challenges {
		for _, in := range indexed[*Solver](*solvers, byChallenge, ch.Namespace+"/"+ch.Name) {
			f.Ingresses = append(f.Ingresses, in.Ingress)
		}
	}
}

// issuerOf returns the issuer that a Certificate names.
func (s *stores) issuerOf(namespace string, ref policy.IssuerRef) diagnose.Issuer {
	out := diagnose.Issuer{Ref: ref}
	informer, key := s.issuers, namespace+"/"+ref.Name
	switch ref.Kind {
	case string(policy.IssuerKind):
	case string(policy.ClusterIssuer):
		informer, key = s.clusterIssuers, ref.Name
	default:
		return out // misspelled: cert-manager finds none, either
	}
	if ref.External() {
		return out
	}
	if object, ok, err := informer.GetIndexer().GetByKey(key); err == nil && ok {
		out = issuerFacts(object)
		out.Ref = ref
	}
	return out
}

// indexed returns what an index has under a key.
func indexed[T any](informer toolscache.SharedIndexInformer, index, key string) []T {
	if informer == nil {
		return nil
	}
	objects, err := informer.GetIndexer().ByIndex(index, key)
	if err != nil {
		return nil // only for an index that does not exist
	}
	out := make([]T, 0, len(objects))
	for _, object := range objects {
		if o, ok := object.(T); ok {
			out = append(out, o)
		}
	}
	return out
}
