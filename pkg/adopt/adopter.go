package adopt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/workqueue"

	"github.com/certwire/certwire/pkg/config"
	"github.com/certwire/certwire/pkg/inventory"
	"github.com/certwire/certwire/pkg/mutate"
)

// Cluster is what adoption asks of the inventory.
type Cluster interface {
	// Ready returns nil once the answers are complete, Installed whether cert-manager is there at all.
	Ready() error
	Installed() bool
	// Interesting lists the workloads that refer to a Secret or carry certwire's status.
	Interesting() []inventory.WorkloadKey
	// Workload returns one of them, nil when it is gone.
	Workload(key inventory.WorkloadKey) *inventory.Workload
	NamespaceLabels(ctx context.Context, namespace string) (map[string]string, error)
	Certificates(namespace, secret string) []mutate.Certificate
	Reloader() mutate.Reloader
	// Features says what the API server and every node can do; false while nobody knows.
	Features() (mutate.Features, bool)
	// Limits returns the bounds that a namespace's LimitRanges set on containers and pods.
	Limits(namespace string) []corev1.LimitRangeItem
}

// Writer writes annotations.
type Writer interface {
	// Annotate sets or (nil) removes annotations of a workload that still has this resource version. Errors are the API
	// server's: conflict when it has not, not found when it is gone.
	Annotate(ctx context.Context, key inventory.WorkloadKey, resourceVersion string, changes map[string]*string) error
}

// Outcome is what became of one attempt: a closed set, fit for a metric label.
type Outcome string

// The outcomes.
const (
	Adopted   Outcome = "adopted"   // ours was added
	Undone    Outcome = "undone"    // ours was taken away
	Conflict  Outcome = "conflict"  // somebody else was faster; tried again
	Contested Outcome = "contested" // somebody keeps undoing it; left alone for a while
	Failed    Outcome = "failed"    // tried again later
)

// Adopter is the controller. Build it with all fields set, then Run it; Add may be called at any time.
type Adopter struct {
	Cluster Cluster
	Writer  Writer
	// Settings returns the configuration in force.
	Settings func() *config.Settings
	// Excluded are namespaces that are never touched, as the webhook configuration excludes them.
	Excluded []string
	// Version is certwire's, for the status annotation.
	Version string
	// Count is told every outcome.
	Count func(kind string, o Outcome)
	Log   logr.Logger

	queue atomic.Pointer[queue]
}

type queue = workqueue.TypedRateLimitingInterface[inventory.WorkloadKey]

// Add notes that a workload's plan may have changed. It never blocks, and does nothing while this replica does not
// lead: Run looks at everything when it starts.
func (a *Adopter) Add(key inventory.WorkloadKey) {
	if q := a.queue.Load(); q != nil {
		(*q).Add(key)
	}
}

// Run works until the context ends. It may be called again afterwards: leadership comes and goes.
func (a *Adopter) Run(ctx context.Context) {
	if !a.waitUntilReady(ctx) {
		return
	}
	q := workqueue.NewTypedRateLimitingQueue(
		workqueue.NewTypedItemExponentialFailureRateLimiter[inventory.WorkloadKey](200*time.Millisecond, 5*time.Minute))
	a.queue.Store(&q)
	defer a.queue.CompareAndSwap(&q, nil) // not another run's
	for _, key := range a.Cluster.Interesting() {
		q.Add(key)
	}
	stop := context.AfterFunc(ctx, q.ShutDown)
	defer stop()
	w := &worker{Adopter: a, queue: q, limiter: rate.NewLimiter(1, 1), rounds: newRounds()}
	for {
		key, shutdown := q.Get()
		if shutdown || ctx.Err() != nil { // a queue that shuts down still hands out what is in it
			return
		}
		w.handle(ctx, key)
		q.Done(key)
	}
}

func (a *Adopter) waitUntilReady(ctx context.Context) bool {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for a.Cluster.Ready() != nil || !a.Cluster.Installed() {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return ctx.Err() == nil
}

// worker is one run's state.
type worker struct {
	*Adopter

	queue   queue
	limiter *rate.Limiter
	rounds  *rounds
}

// handle brings one workload to where its plan wants it, and decides when to look again.
func (w *worker) handle(ctx context.Context, key inventory.WorkloadKey) {
	outcome, err := w.reconcile(ctx, key)
	if outcome != "" {
		w.Count(key.Kind, outcome)
	}
	switch {
	case err == nil:
		w.queue.Forget(key)
	case errors.Is(err, context.Canceled):
	case outcome == Conflict:
		w.queue.AddRateLimited(key)
	case outcome == Contested:
		w.Log.Info("Somebody keeps removing the reload annotation; left alone for a while",
			"kind", key.Kind, "namespace", key.Namespace, "name", key.Name, "for", contestedFor.String())
		w.queue.Forget(key)
		w.queue.AddAfter(key, contestedFor+time.Second)
	default:
		w.Log.Error(err, "A workload could not be brought in, trying again later",
			"kind", key.Kind, "namespace", key.Namespace, "name", key.Name)
		w.queue.AddRateLimited(key)
	}
}

var errContested = errors.New("somebody keeps undoing the annotation")

func (w *worker) reconcile(ctx context.Context, key inventory.WorkloadKey) (Outcome, error) {
	settings := w.Settings()
	if !*settings.Adoption.Enabled || slices.Contains(w.Excluded, key.Namespace) {
		return "", nil
	}
	workload := w.Cluster.Workload(key)
	if workload == nil {
		return "", nil
	}
	labels, err := w.Cluster.NamespaceLabels(ctx, key.Namespace)
	if err != nil {
		if apierrors.IsNotFound(err) {
			return "", nil // the workload goes with it
		}
		return Failed, err
	}
	features, known := w.Cluster.Features()
	if !known && workload.Pod != nil {
		return "", nil // looked at again when it is
	}
	plan := mutate.NewPlan(&workload.Workload, mutate.Facts{
		Namespace:       key.Namespace,
		NamespaceLabels: labels,
		Certificates:    func(secret string) []mutate.Certificate { return w.Cluster.Certificates(key.Namespace, secret) },
		Reloader:        w.Cluster.Reloader(),
		Agent:           settings.Agent,
		Limits:          w.Cluster.Limits(key.Namespace),
		Features:        settings.Features(features),
		Version:         w.Version,
		Kept:            true, // adoption rolls nothing out
	})
	changes := plan.Changes(&workload.Workload)
	if len(changes) == 0 {
		return "", nil
	}
	if w.leaveToAdmission(workload, changes) {
		return "", nil
	}
	switch contested, fresh := w.rounds.contested(string(workload.UID), time.Now()); {
	case fresh:
		return Contested, errContested
	case contested:
		return "", nil
	}
	w.limiter.SetLimit(rate.Limit(settings.Adoption.WritesPerSecond))
	w.limiter.SetBurst(settings.Adoption.Burst)
	if err := w.limiter.Wait(ctx); err != nil {
		return "", context.Canceled
	}
	return w.write(ctx, workload, plan, changes)
}

func (w *worker) write(ctx context.Context, workload *inventory.Workload, plan mutate.Plan, changes map[string]*string) (Outcome, error) {
	key := workload.Key()
	err := w.Writer.Annotate(ctx, key, workload.ResourceVersion, changes)
	switch {
	case err == nil:
	case apierrors.IsNotFound(err):
		return "", nil
	case apierrors.IsConflict(err):
		return Conflict, err
	default:
		return Failed, fmt.Errorf("annotating %s %s/%s: %w", key.Kind, key.Namespace, key.Name, err)
	}
	w.rounds.wrote(string(workload.UID), time.Now())
	outcome := Undone
	if plan.Method == mutate.MethodAnnotation {
		outcome = Adopted
	}
	w.Log.Info("Changed a workload's annotations", "kind", key.Kind, "namespace", key.Namespace, "name", key.Name,
		"outcome", string(outcome), "reason", string(plan.Reason), "secrets", plan.Secrets, "warnings", plan.Warnings)
	return outcome, nil
}

// leaveToAdmission is true for a workload that adoption must not write to, because it could take something away. The
// hook, which sees the whole object and writes as the user does, decides at the workload's next change.
func (w *worker) leaveToAdmission(workload *inventory.Workload, changes map[string]*string) bool {
	why := ""
	if workload.Blind(w.Cluster.Reloader().Keys) {
		why = "an annotation of Reloader's is too long for the cache"
	}
	for key := range changes {
		if workload.Applied(key) {
			why = "the user owns an annotation by server-side apply, and their next apply would conflict"
		}
	}
	if why != "" {
		w.Log.V(1).Info("Left to the workload's next change", "kind", workload.Kind, "namespace", workload.Namespace,
			"name", workload.ObjectMeta.Name, "reason", why)
	}
	return why != ""
}
