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

	"github.com/certwire/certwire/pkg/inventory"
	"github.com/certwire/certwire/pkg/mutate"
	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/pkg/reload/spec"
)

// Bounds on what one controller does to a cluster.
const (
	// pokesPerSecond and pokesAtOnce hold for all pods together.
	pokesPerSecond, pokesAtOnce = 50, 100
	// dials is how many are under way at a time, and dialTimeout bounds one.
	dials       = 32
	dialTimeout = 5 * time.Second
	// workers is how many Certificates are looked after at a time.
	workers = 16
	// patches is how many pods of one Certificate are written to at a time.
	patches = 8
)

// Cluster is what delivery asks of the inventory.
type Cluster interface {
	// Ready returns nil once the answers are complete, Installed whether cert-manager is there at all.
	Ready() error
	Installed() bool
	// Issued returns a Certificate and what was issued for it; false when there is none.
	Issued(namespace, name string) (inventory.Issued, bool)
	// AllIssued names every Certificate.
	AllIssued() []types.NamespacedName
	// Certificates are those that write to a Secret.
	Certificates(namespace, secret string) []mutate.Certificate
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
	// Dial looks at one place; [probe.Dial] when nil.
	Dial func(context.Context, probe.Target) probe.Result
	// Tell puts a warning Event on an object. Its text is one line.
	Tell func(on *corev1.ObjectReference, reason, text string)
	// Observe is told how long each renewal took to all replicas.
	Observe func(time.Duration)
	Log     logr.Logger
	Now     func() time.Time

	running atomic.Pointer[run]
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
	defer r.queue.ShutDown()
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
