package delivery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/inventory"
	"github.com/certwire/certwire/pkg/probe"
)

// lackFor is how long the evidence of an issuance may be missing until that is said: the two come by different watches.
const lackFor = 5 * time.Second

// sweep is one look after one Certificate.
type sweep struct {
	*run

	key    types.NamespacedName
	issued inventory.Issued
	m      *memory
	status *v1alpha1.CertificateDeliveryStatus
	// leaf is what is to be served, and at when it was issued.
	leaf     probe.Leaf
	at       time.Time
	pods     []*Pod
	replicas []Replica              // one for each pod that is not being deleted, and then those of fronts
	byUID    map[types.UID]*Replica // of pods that use the Secret alone
	copies   copies
}

// reconcile brings one Certificate's delivery further and writes down how far it is. It returns when to come back; 0 for
// never.
func (r *run) reconcile(ctx context.Context, key types.NamespacedName) (time.Duration, error) {
	issued, ok := r.Cluster.Issued(key.Namespace, key.Name)
	if !ok {
		r.forget(key)
		return 0, nil // the object goes with its owner
	}
	m := r.memory(key)
	object, err := r.object(ctx, m, issued)
	if err != nil {
		return 0, err
	}
	s := &sweep{run: r, key: key, issued: issued, m: m, status: object.Status.DeepCopy()}
	known, wait := s.advance()
	if wait > 0 {
		return wait, nil
	}
	if !known {
		v := pending(NotIssued)
		if issued.Revision > 0 {
			v = pending(NoEvidence)
		}
		s.record(v)
		next := s.explain(object.Status.Issuance, jitter(idleSweep))
		s.show(v)
		return next, r.write(ctx, m, object, s.status)
	}
	s.pods = r.podsOf(key.Namespace, issued.Secret)
	s.findCopies()
	s.forgetPods()
	var trouble []error
	if len(s.status.Previous) > 0 { // a renewal: who had the last one is behind
		trouble = append(trouble, s.poke(ctx))
	}
	s.look(ctx)
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	trouble = append(trouble, s.poke(ctx), s.roll(ctx))
	v, before := s.assess(), s.status.State
	s.record(v)
	s.notice(v)
	s.plan(v)
	if v.State == v1alpha1.DeliveryStale && before != v.State {
		s.tell(string(v.State)+string(s.leaf.Fingerprint), "CertificateStale", fmt.Sprintf(
			"%d of %d replicas serve serial %s, the newest: %s", v.Current, v.Total, s.leaf.Serial, cmp.Or(v.Message, string(v.Cause))))
	}
	s.timeFirst(v)
	next := s.explain(object.Status.Issuance, s.lookAgain(m.next(v)))
	s.show(v)
	if err := r.write(ctx, m, object, s.status); err != nil {
		trouble = append(trouble, err)
	} else {
		trouble = append(trouble, s.rollOut(ctx))
	}
	return next, errors.Join(trouble...)
}

// advance takes up a new leaf. It returns false when nobody knows what is to be served, and a time to wait when that may
// change at once.
func (s *sweep) advance() (known bool, wait time.Duration) {
	s.fromSecret()
	i, status := s.issued, s.status
	switch {
	case i.Revision == 0:
		*status = v1alpha1.CertificateDeliveryStatus{Conditions: status.Conditions}
		return false, 0
	case i.Leaf == nil && status.Leaf != nil && status.Revision == i.Revision:
		// cert-manager has removed the request, but what it was is written down.
	case i.Leaf == nil:
		if s.m.lacking.IsZero() {
			s.m.lacking = s.Now()
		}
		if s.Now().Sub(s.m.lacking) < lackFor {
			return false, firstSweep
		}
		return false, 0
	case status.Leaf == nil || status.Leaf.Fingerprint != string(i.Leaf.Fingerprint):
		s.begin()
	default:
		status.Revision = i.Revision
	}
	s.m.lacking = time.Time{}
	s.leaf = leafOf(status.Leaf)
	if i.Leaf != nil {
		s.leaf = *i.Leaf // the same one, and all of its names
	}
	if status.Issued != nil {
		s.at = status.Issued.Time
	}
	return true, 0
}

// assess holds what was seen against what should be.
func (s *sweep) assess() Verdict {
	clean, keys := len(s.replicas) > 0, make([]string, 0, len(s.replicas))
	for i := range s.replicas {
		keys = append(keys, s.replicas[i].key)
		clean = clean && s.replicas[i].state() == Current
	}
	now := s.Now()
	n := s.m.sweeps.add(s.leaf.Fingerprint, keys, clean)
	if n == 1 {
		s.m.clean = now
	}
	v := s.judgeCopies(Assess(Facts{
		Namespace: s.key.Namespace, Issued: s.at, Now: now, Deadline: s.Deadline, Before: s.status.State, Clean: n, Replicas: s.replicas,
	}))
	s.mu.Lock()
	if s.m.summary.Current != v.Current || s.m.summary.Total != v.Total {
		s.m.wait = 0 // it moves, so look often
	}
	s.m.summary = v
	s.mu.Unlock()
	return v
}

// tell puts a warning on the Certificate, once for each key.
func (s *sweep) tell(once, reason, text string) {
	if s.m.told[once] {
		return
	}
	if len(s.m.told) > 100 {
		clear(s.m.told)
	}
	s.m.told[once] = true
	s.Tell(&corev1.ObjectReference{
		APIVersion: cmapi.SchemeGroupVersion.String(), Kind: cmapi.CertificateKind, Namespace: s.key.Namespace, Name: s.key.Name, UID: s.issued.UID,
	}, reason, text)
}

// forgetPods drops what is remembered of pods that are gone, and what is about an older leaf.
func (s *sweep) forgetPods() {
	there := map[types.UID]bool{}
	for _, p := range s.pods {
		there[p.UID] = true
		if m := s.m.pods[p.UID]; m == nil || m.of != s.leaf.Fingerprint {
			s.m.pods[p.UID] = &podMemory{of: s.leaf.Fingerprint}
		}
	}
	for uid := range s.m.pods {
		if !there[uid] {
			delete(s.m.pods, uid)
			s.leave(uid, s.key)
		}
	}
}
