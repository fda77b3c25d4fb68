package delivery

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/diagnose"
)

// layerIssuance is the layer of what was never issued.
const layerIssuance = "issuance"

// reword is how long another text for what is stuck already may wait: some change with every try.
const reword = 30 * time.Second

// Reconsider looks whether something is in the way of a Certificate's next issuance, and has it looked after when what is
// known of that has changed, or will have. It never blocks and asks nobody, so it may be called for every change of every
// object: of the steps of a renewal that goes well, none leads to a sweep.
func (c *Controller) Reconsider(namespace, certificate string) {
	r := c.running.Load()
	if r == nil {
		return // Run looks at everything when it starts
	}
	key := types.NamespacedName{Namespace: namespace, Name: certificate}
	facts, ok := c.Cluster.Issuance(namespace, certificate)
	if !ok {
		return
	}
	facts.Now = r.Now()
	d, again := diagnose.Diagnose(facts)
	before, is := r.stuck(key), issuanceOf(d)
	switch {
	case before != nil && is != nil && !same(before, is):
		r.queue.AddAfter(key, reword)
	case !same(before, is):
		r.queue.AddAfter(key, settle)
	case is == nil && !again.IsZero(): // a grace ends
		r.queue.AddAfter(key, again.Sub(facts.Now))
	}
}

// stuck is what is written down of a Certificate's issuance.
func (r *run) stuck(key types.NamespacedName) *v1alpha1.DeliveryIssuance {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.known[key]
	if m == nil || m.object == nil {
		return nil
	}
	return m.object.Status.Issuance
}

// explain notes what is in the way of the next certificate, and returns when to look again at the latest. before is what was
// written down of it.
func (s *sweep) explain(before *v1alpha1.DeliveryIssuance, next time.Duration) time.Duration {
	facts, ok := s.Cluster.Issuance(s.key.Namespace, s.key.Name)
	if !ok {
		return next
	}
	facts.Now = s.Now()
	d, again := diagnose.Diagnose(facts)
	s.status.Issuance = issuanceOf(d)
	if s.status.State == v1alpha1.DeliveryPending && s.status.Cause == string(NotIssued) {
		s.status.Layer, s.status.Message = layerIssuance, d.Text()
	}
	// Of what certwire itself refused, package resume has told.
	if d.Cause != "" && d.Cause != diagnose.RefusedByCertwire && (before == nil || before.Cause != string(d.Cause)) {
		s.tell("issuance "+string(d.Cause), "IssuanceStuck", d.Text())
	}
	if d.Cause == "" && len(s.m.told) > 0 && before == nil {
		s.forgetIssuance()
	}
	if again.IsZero() {
		return next
	}
	if wait := max(again.Sub(facts.Now), settle); next <= 0 || wait < next {
		return wait
	}
	return next
}

// forgetIssuance has a cause told once more when it comes back after the issuance went on.
func (s *sweep) forgetIssuance() {
	for _, info := range diagnose.Causes() {
		delete(s.m.told, "issuance "+string(info.Cause))
	}
}

// issuanceOf is a diagnosis as it is written down; nil when nothing is in the way.
func issuanceOf(d diagnose.Diagnosis) *v1alpha1.DeliveryIssuance {
	if d.Cause == "" {
		return nil
	}
	out := &v1alpha1.DeliveryIssuance{Cause: string(d.Cause), Message: d.Text()}
	if !d.Until.IsZero() {
		out.Until = &metav1.Time{Time: d.Until}
	}
	return out
}

func same(a, b *v1alpha1.DeliveryIssuance) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Cause == b.Cause && a.Message == b.Message && a.Until.Equal(b.Until)
}
