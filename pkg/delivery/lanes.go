package delivery

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

// busyAgain is how long to wait for another worker that has the same Certificate.
const busyAgain = 100 * time.Millisecond

// There are two lanes: what has happened, and what is under way, is looked after in one, and what is looked after because
// time has passed in the other, which has workers and dials of its own. So a renewal never waits for a round of places
// that do not answer.

// work looks after Certificates of one lane until its queue shuts down.
func (r *run) work(ctx context.Context, from queue, calm bool) {
	for {
		key, shutdown := from.Get()
		if shutdown || ctx.Err() != nil { // a queue that shuts down still hands out what is in it
			return
		}
		if c := r.claim(key, calm); c != nil {
			r.memory(key).claim = c
			r.handle(ctx, key)
			r.release(key)
		} else {
			from.AddAfter(key, busyAgain)
		}
		from.Done(key)
	}
}

// claim is what a worker has of a Certificate. The zero value is one of the lane of what is under way.
type claim struct {
	calm bool
	// hurry is closed when something has happened meanwhile: the worker must not wait where routine waits.
	hurry   chan struct{}
	hurried bool
}

// claim gives a Certificate to the caller until release; nil while another worker has it.
func (r *run) claim(key types.NamespacedName, calm bool) *claim {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.claimed[key]; c != nil {
		if !calm && !c.hurried {
			c.hurried = true
			close(c.hurry)
		}
		return nil
	}
	c := &claim{calm: calm, hurry: make(chan struct{})}
	r.claimed[key] = c
	return c
}

func (r *run) release(key types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.claimed, key)
}

// slot waits for room to dial, and returns what gives it back; nil when the context ended.
func (s *sweep) slot(ctx context.Context) func() {
	if c := s.m.claim; c != nil && c.calm {
		select {
		case s.calmDialling <- struct{}{}:
			return func() { <-s.calmDialling }
		case <-c.hurry:
		case <-ctx.Done():
			return nil
		}
	}
	select {
	case s.dialling <- struct{}{}:
		return func() { <-s.dialling }
	case <-ctx.Done():
		return nil
	}
}

// after puts a Certificate into its lane.
func (r *run) after(key types.NamespacedName, wait time.Duration) {
	if wait > lastSweep {
		r.calm.AddAfter(key, wait)
		return
	}
	r.queue.AddAfter(key, wait)
}

// queueAll puts all Certificates into their lanes: those whose renewal was under way, or came while nobody led, go first.
func (r *run) queueAll() {
	for _, key := range r.Cluster.AllIssued() {
		if r.isUnderWay(key) {
			r.queue.Add(key)
		} else {
			r.calm.Add(key)
		}
	}
}

func (r *run) isUnderWay(key types.NamespacedName) bool {
	object, ok, err := r.deliveries.GetByKey(key.String())
	issued, known := r.Cluster.Issued(key.Namespace, key.Name)
	if err != nil || !ok || !known || issued.Leaf == nil {
		return false
	}
	d, ok := object.(*v1alpha1.CertificateDelivery)
	return ok && (d.Status.State == v1alpha1.DeliveryDelivering || d.Status.Leaf == nil ||
		d.Status.Leaf.Fingerprint != string(issued.Leaf.Fingerprint))
}
