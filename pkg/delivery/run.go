package delivery

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/probe"
)

// The times between two sweeps of one Certificate.
const (
	firstSweep, lastSweep = 500 * time.Millisecond, 10 * time.Second // while a delivery is under way
	staleSweep            = time.Minute
	idleSweep             = 5 * time.Minute
	// settle is how long changes of pods are collected.
	settle = 200 * time.Millisecond
)

// run is the state of one time of leading.
type run struct {
	*Controller

	queue            queue
	pods, deliveries toolscache.Indexer
	limiter          *rate.Limiter
	dialling         chan struct{}

	mu    sync.Mutex
	known map[types.NamespacedName]*memory
	// rolling is whose turn it is to restart pods of a workload, which may use several certificates.
	rolling map[string]types.NamespacedName
}

// memory is what is remembered of one Certificate. It belongs to the worker that has the Certificate's key, but for
// object and summary, which run.mu guards.
type memory struct {
	object  *v1alpha1.CertificateDelivery // as it was written last
	summary Verdict

	sweeps sweeps
	wait   time.Duration
	// arrived is when this process saw the leaf come, zero when none has come yet; clean, when the first of the clean
	// sweeps was.
	arrived, clean time.Time
	newest         probe.Fingerprint // the one that came
	// lacking is since when there is no evidence of what was issued.
	lacking time.Time
	pods    map[types.UID]*podMemory
	// blocked is since when nobody of a workload may restart, for others are away.
	blocked map[string]time.Time
	// told are the Events that were sent.
	told map[string]bool
}

// podMemory is what is remembered of one pod.
type podMemory struct {
	// of is the leaf that all of this is about.
	of probe.Fingerprint
	// blind is since when no look has shown a certificate.
	blind time.Time
	// looks is how many in a row have shown the leaf.
	looks int
	// poked is when it was written to last, with permit or without; permitted is since when it may restart.
	poked, permitted time.Time
	// announced is since when it has known of the leaf.
	announced time.Time
}

func newRun(c *Controller) *run {
	return &run{
		Controller: c,
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[types.NamespacedName](200*time.Millisecond, 5*time.Minute)),
		limiter: rate.NewLimiter(pokesPerSecond, pokesAtOnce), dialling: make(chan struct{}, dials),
		known: map[types.NamespacedName]*memory{}, rolling: map[string]types.NamespacedName{},
	}
}

// serve works until the context ends.
func (r *run) serve(ctx context.Context) {
	for _, key := range r.Cluster.AllIssued() {
		r.queue.Add(key)
	}
	stop := context.AfterFunc(ctx, r.queue.ShutDown)
	defer stop()
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for {
				key, shutdown := r.queue.Get()
				if shutdown || ctx.Err() != nil { // a queue that shuts down still hands out what is in it
					return
				}
				r.handle(ctx, key)
				r.queue.Done(key)
			}
		})
	}
	working.Wait()
}

// handle looks after one Certificate, and decides when to do so again.
func (r *run) handle(ctx context.Context, key types.NamespacedName) {
	next, err := r.reconcile(ctx, key)
	switch {
	case ctx.Err() != nil:
	case apierrors.IsConflict(err) || apierrors.IsNotFound(err) || apierrors.IsAlreadyExists(err) ||
		apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		r.Log.V(1).Info("A delivery is looked after again, for the caches are behind", "certificate", key.String(), "cause", err.Error())
		r.queue.AddRateLimited(key)
	case err != nil:
		r.Log.Error(err, "A delivery could not be looked after, trying again later", "certificate", key.String())
		r.queue.AddRateLimited(key)
	default:
		r.queue.Forget(key)
		if next > 0 {
			r.queue.AddAfter(key, next)
		}
	}
}

// memory returns what is remembered of a Certificate.
func (r *run) memory(key types.NamespacedName) *memory {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.known[key]
	if m == nil {
		m = &memory{pods: map[types.UID]*podMemory{}, blocked: map[string]time.Time{}, told: map[string]bool{}}
		r.known[key] = m
	}
	return m
}

// forget drops a Certificate that is gone.
func (r *run) forget(key types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.known, key)
	for workload, holder := range r.rolling {
		if holder == key {
			delete(r.rolling, workload)
		}
	}
}

// next is when to sweep again.
func (m *memory) next(v Verdict) time.Duration {
	underWay := v.State == v1alpha1.DeliveryDelivering ||
		(v.State == v1alpha1.DeliveryDelivered && (v.Current < v.Total || m.sweeps.clean < Confirmations))
	switch {
	case underWay:
		m.wait = min(max(m.wait*3/2, firstSweep), lastSweep)
		if v.Current == v.Total {
			return firstSweep
		}
		return m.wait
	case v.State == v1alpha1.DeliveryStale:
		return jitter(staleSweep)
	default:
		return jitter(idleSweep)
	}
}

// jitter spreads what began together.
func jitter(d time.Duration) time.Duration {
	return d*9/10 + rand.N(d/5)
}
