package delivery

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/front"
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

	queue, calm      queue // see lanes.go
	pods, deliveries toolscache.Indexer
	secrets          *secrets // nil where they are not read
	disruptions      toolscache.Indexer
	fronts           front.Cluster
	leaves           leaves
	limiter          *rate.Limiter
	silence          silence

	dialling, calmDialling, listening chan struct{}

	// serving is set when the caches are there, and everything is about to be queued.
	serving atomic.Bool

	mu    sync.Mutex
	known map[types.NamespacedName]*memory
	// claimed are those that a worker has.
	claimed map[types.NamespacedName]*claim
	// rolling is whose turn it is to restart pods of a workload, which may use several certificates.
	rolling map[string]types.NamespacedName
	// restarting are the pods that restart now, whatever the workload.
	restarting map[restartKey]restarting
}

// memory is what is remembered of one Certificate. It belongs to the worker that has the Certificate's key, but for
// object, summary and shown, which run.mu guards.
type memory struct {
	object  *v1alpha1.CertificateDelivery // as it was written last
	summary Verdict
	shown   shown // what metrics tell

	sweeps sweeps
	wait   time.Duration
	claim  *claim // of the worker that has it
	// arrived is when this process saw the leaf come, zero when none has come yet; clean, when the first of the clean
	// sweeps was.
	arrived, clean time.Time
	newest         probe.Fingerprint // the one that came
	first          probe.Fingerprint // the one of which the first replica was timed
	// lacking is since when there is no evidence of what was issued.
	lacking time.Time
	pods    map[types.UID]*podMemory
	fronts  map[string]*podMemory // by the keys of replicas that serve for others
	// blocked is since when nobody of a workload may restart, for others are away.
	blocked map[string]time.Time
	copies  copiesMemory
	// mirrorStale is since when a copy of the Secret has been behind that has had its time; zero while none is.
	mirrorStale time.Time
	// told are the Events that were sent.
	told map[string]bool
	// rolled are the rollouts that this process has carried out.
	rolled map[string]bool
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

func newQueue() queue {
	return workqueue.NewTypedRateLimitingQueue(
		workqueue.NewTypedItemExponentialFailureRateLimiter[types.NamespacedName](200*time.Millisecond, 5*time.Minute))
}

func newRun(c *Controller) *run {
	return &run{
		Controller: c,
		queue:      newQueue(), calm: newQueue(), limiter: rate.NewLimiter(pokesPerSecond, pokesAtOnce),
		dialling: make(chan struct{}, dials), calmDialling: make(chan struct{}, calmDials), listening: make(chan struct{}, listeners),
		claimed: map[types.NamespacedName]*claim{},
		known:   map[types.NamespacedName]*memory{}, fronts: &front.Lists{}, rolling: map[string]types.NamespacedName{},
		restarting: map[restartKey]restarting{},
	}
}

// serve works until the context ends.
func (r *run) serve(ctx context.Context) {
	r.serving.Store(true) // first: what changes from now on is in a cache before it is an event
	r.queueAll()
	stop := context.AfterFunc(ctx, r.shutDown)
	defer stop()
	var working sync.WaitGroup
	for range workers {
		working.Go(func() { r.work(ctx, r.queue, false) })
		working.Go(func() { r.work(ctx, r.calm, true) })
	}
	working.Wait()
}

func (r *run) shutDown() {
	r.queue.ShutDown()
	r.calm.ShutDown()
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
			r.after(key, next)
		}
	}
}

// memory returns what is remembered of a Certificate.
func (r *run) memory(key types.NamespacedName) *memory {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.known[key]
	if m == nil {
		m = &memory{pods: map[types.UID]*podMemory{}, fronts: map[string]*podMemory{}, blocked: map[string]time.Time{}, told: map[string]bool{}, rolled: map[string]bool{}}
		r.known[key] = m
	}
	return m
}

// forget drops a Certificate that is gone.
func (r *run) forget(key types.NamespacedName) {
	if r.secrets != nil {
		r.secrets.remember(key, nil)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.known, key)
	for restart := range r.restarting {
		if restart.of == key {
			delete(r.restarting, restart)
		}
	}
	for workload, holder := range r.rolling {
		if holder == key {
			delete(r.rolling, workload)
		}
	}
}

// next is when to sweep again.
func (m *memory) next(v Verdict) time.Duration {
	underWay := v.State == v1alpha1.DeliveryDelivering || v.Early ||
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
	case v.State == v1alpha1.DeliveryUnverified && v.Total > 0:
		// What could not be seen at the deadline may be seen a moment later, and what never can be is asked ever more rarely.
		m.wait = min(max(m.wait, lastSweep)*2, idleSweep)
		return jitter(m.wait)
	default:
		return jitter(idleSweep)
	}
}

// jitter spreads what began together.
func jitter(d time.Duration) time.Duration {
	return d*9/10 + rand.N(d/5)
}
