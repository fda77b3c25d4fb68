package resume

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/certwire/certwire/pkg/inventory"
	"github.com/certwire/certwire/pkg/ledger"
	"github.com/certwire/certwire/pkg/policy"
)

// RetryKey on a CertificateRequest says when certwire last had it tried again. Its only effect is that cert-manager looks
// at the request.
const RetryKey = "certwire.dev/retry"

// Waiting gives what is waiting.
type Waiting interface {
	// Refused returns the requests whose Orders certwire refused.
	Refused() []*inventory.Request
	// Owner returns a request's Certificate, and the object that it was made for; nil where there is none.
	Owner(namespace, certificate string) (self, owner *metav1.OwnerReference)
}

// Resumer tells about refused orders and has them tried again. Build it with its fields and run it with Run.
type Resumer struct {
	Waiting Waiting
	// Order returns the order that a request leads to; false when its CA has no known limits, or it is not known.
	Order func(*inventory.Request) (ledger.Order, bool)
	// Assess is the ledger's.
	Assess func(ledger.Order) policy.Budget
	// Retry annotates a request.
	Retry func(ctx context.Context, namespace, name string, at time.Time) error
	// Tell puts a warning Event on an object. Its text is one line.
	Tell func(on *corev1.ObjectReference, reason, text string)
	// Count counts what was done: "told" or "retried". Optional.
	Count func(what string)
	Log   logr.Logger
	Now   func() time.Time

	wake    chan struct{}
	told    map[types.UID]string
	retried map[types.UID]attempt
}

// attempt is the last time that a request was tried again.
type attempt struct {
	at    time.Time
	times int
}

const (
	// pause between two looks, so that a burst of changes is one look.
	pause = 200 * time.Millisecond
	// again is how long after a try that was in vain the next one comes at the earliest; it doubles up to longest.
	again   = 2 * time.Second
	longest = 5 * time.Minute
	// idle is how long nothing is looked at when nothing is known to come.
	idle = 15 * time.Second
	// undecided begins what an Order is refused with when nobody could decide.
	undecided = "certwire could not decide about this Order"
	// tries is how many requests are tried again at one look.
	tries = 50
)

// Prepare must be called before Wake and Run.
func (r *Resumer) Prepare() {
	r.wake = make(chan struct{}, 1)
	if r.Count == nil {
		r.Count = func(string) {}
	}
}

// Wake has everything looked at again soon. It never blocks.
func (r *Resumer) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run works until the context ends.
func (r *Resumer) Run(ctx context.Context) {
	r.told, r.retried = map[types.UID]string{}, map[types.UID]attempt{}
	for {
		next := r.look(ctx)
		timer := time.NewTimer(max(pause, next.Sub(r.Now())))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
			continue
		case <-r.wake:
			timer.Stop()
		}
		select { // what else comes in the same moment
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// look tells what is new and tries what can go on, oldest first. It returns when to look again at the latest.
func (r *Resumer) look(ctx context.Context) time.Time {
	now := r.Now()
	next := now.Add(idle)
	waiting := slices.Clone(r.Waiting.Refused())
	slices.SortFunc(waiting, func(a, b *inventory.Request) int {
		if c := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	present := map[types.UID]bool{}
	claims := map[string]int64{} // tokens that this look has given to others, by bucket
	left := tries
	for _, w := range waiting {
		present[w.UID] = true
		r.tell(w)
		if !policy.RefusedForBudget(w.Refusal) && !strings.HasPrefix(w.Refusal, undecided) && !strings.HasPrefix(w.Refusal, inventory.Unreachable) {
			continue // another rule refused it: time does not change that
		}
		order, ok := r.Order(w)
		if !ok {
			continue
		}
		if at := r.try(ctx, w, order, claims, &left, now); at.Before(next) {
			next = at
		}
	}
	for uid := range r.told {
		if !present[uid] {
			delete(r.told, uid)
			delete(r.retried, uid)
		}
	}
	return next
}

// try has a request tried again if its order can be placed now, and returns when to look at it again.
func (r *Resumer) try(ctx context.Context, w *inventory.Request, order ledger.Order, claims map[string]int64, left *int, now time.Time) time.Time {
	budget := r.Assess(order)
	bucket := budget.Bucket
	if !budget.Allowed {
		if bucket.Next.After(now) {
			return bucket.Next
		}
		return now.Add(idle)
	}
	key := string(bucket.Limit) + " " + bucket.Of // the fullest: what others take of it is not there for this one
	last := r.retried[w.UID]
	wait := min(again<<min(last.times, 10), longest)
	switch {
	case last.times > 0 && now.Sub(last.at) < wait:
		return last.at.Add(wait)
	case claims[key] > 0 && claims[key] >= bucket.Left(), *left == 0:
		return now.Add(again)
	}
	if err := r.Retry(ctx, w.Namespace, w.Name, now); err != nil {
		r.Log.Error(err, "A refused order could not be tried again, trying later", "request", w.Namespace+"/"+w.Name)
		return now.Add(again)
	}
	claims[key]++
	*left--
	r.retried[w.UID] = attempt{at: now, times: last.times + 1}
	r.Count("retried")
	r.Log.Info("The budget allows a refused order again", "request", w.Namespace+"/"+w.Name, "certificate", w.Certificate)
	return now.Add(again)
}

// tell puts a refusal where people look, once for each text.
func (r *Resumer) tell(w *inventory.Request) {
	if r.told[w.UID] == w.Refusal {
		return
	}
	if before, known := r.told[w.UID]; known && before != w.Refusal {
		delete(r.retried, w.UID) // refused for another reason, or until another time
	}
	r.told[w.UID] = w.Refusal
	self, owner := r.Waiting.Owner(w.Namespace, w.Certificate)
	for _, o := range []*metav1.OwnerReference{self, owner} {
		if o == nil {
			continue
		}
		r.Tell(&corev1.ObjectReference{
			APIVersion: o.APIVersion, Kind: o.Kind, Namespace: w.Namespace, Name: o.Name, UID: o.UID,
		}, "OrderRefused", w.Refusal)
		r.Count("told")
	}
}
