package delivery

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/diagnose"
	"github.com/certwire/certwire/pkg/inventory"
	"github.com/certwire/certwire/pkg/mutate"
	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/pkg/reload/spec"
)

// Bounds on what one controller does to a cluster.
const (
	// pokesPerSecond and pokesAtOnce hold for all pods together.
	pokesPerSecond, pokesAtOnce = 50, 100
	// dials is how many are under way at a time for what has happened, and calmDials for routine; dialTimeout bounds one.
	dials       = 32
	calmDials   = 64
	dialTimeout = 5 * time.Second
	// workers is how many Certificates are looked after at a time in each of two lanes.
	workers = 16
	// patches is how many pods of one Certificate are written to at a time.
	patches = 8
)

// Stage is how far a renewal has come: a closed set, fit for a metric label.
type Stage string

// The stages.
const (
	StageFirst    Stage = "first"    // a replica serves it
	StageAll      Stage = "all"      // every replica does
	StageMirrored Stage = "mirrored" // every copy of the Secret holds it
)

// Cluster is what delivery asks of the inventory.
type Cluster interface {
	// Ready returns nil once the answers are complete, Installed whether cert-manager is there at all.
	Ready() error
	Installed() bool
	// Issued returns a Certificate and what was issued for it; false when there is none.
	Issued(namespace, name string) (inventory.Issued, bool)
	// Issuance returns what is known of a Certificate's issuance, but for the time; false when there is no such Certificate.
	Issuance(namespace, name string) (diagnose.Facts, bool)
	// AllIssued names every Certificate.
	AllIssued() []types.NamespacedName
	// Certificates are those that write to a Secret.
	Certificates(namespace, secret string) []mutate.Certificate
	// Workload returns a Deployment, StatefulSet or DaemonSet; nil when there is none.
	Workload(key inventory.WorkloadKey) *inventory.Workload
}

// Controller takes renewals to the wire. Build it with its fields set, then Run it; Add may be called at any time. It is
// a [prometheus.Collector], too.
type Controller struct {
	Cluster Cluster
	// Rest and Scheme are for caches of its own: pods are watched while it runs, and not before.
	Rest   *rest.Config
	Scheme *runtime.Scheme
	// Client writes.
	Client client.Client
	// Presets returns the cluster's own known servers.
	Presets func() map[string]spec.Values
	// Deadline is how long a replica may take to serve a new certificate until it counts as stale.
	Deadline time.Duration
	// Mirrors has copies of Secrets looked at, for which certwire has to list and watch Secrets.
	Mirrors bool
	// Rollouts says that certwire may roll out workloads whose owners allow it, when they go on serving an old certificate.
	Rollouts bool
	// Dial looks at one place; [probe.Dial] when nil.
	Dial func(context.Context, probe.Target) probe.Result
	// Tell puts a warning Event on an object. Its text is one line.
	Tell func(on *corev1.ObjectReference, reason, text string)
	// Observe is told how long each renewal took to get so far.
	Observe func(Stage, time.Duration)
	// Rolled is told of each attempt to have a workload rolled out for a leaf, by how it ended: one of [RolloutOutcomes].
	Rolled func(outcome string)
	Log    logr.Logger
	Now    func() time.Time

	running atomic.Pointer[run]
	probes  probes
}

type queue = workqueue.TypedRateLimitingInterface[types.NamespacedName]

// Add notes that a Certificate was issued, or is gone. It never blocks, and does nothing while this replica does not
// lead: Run looks at everything when it starts.
func (c *Controller) Add(namespace, certificate string) {
	if r := c.running.Load(); r != nil {
		r.queue.Add(types.NamespacedName{Namespace: namespace, Name: certificate})
	}
}

// Run works until the context ends. It may be called again afterwards: leadership comes and goes.
func (c *Controller) Run(ctx context.Context) {
	if c.Dial == nil {
		c.Dial = probe.Dial
	}
	// Whatever ends, ends together: the caches of a run are its own.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !c.waitUntilReady(ctx) {
		return
	}
	r := newRun(c)
	defer r.shutDown()
	if !r.open(ctx) {
		return
	}
	c.running.Store(r)
	defer c.running.CompareAndSwap(r, nil) // not another run's
	r.serve(ctx)
}

func (c *Controller) waitUntilReady(ctx context.Context) bool {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for c.Cluster.Ready() != nil || !c.Cluster.Installed() {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return ctx.Err() == nil
}
