package ledger

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

// world is an API server that only keeps budgets (controller-runtime's fake, which knows conflicts and watches), a clock,
// and a CA. What a real API server does with budgets is tested end to end.
type world struct {
	t      *testing.T
	client client.WithWatch
	dirs   acme.Directories
	ca     acme.Service

	mu     sync.Mutex
	now    time.Time
	orders map[string]bool
	away   error
	writes int
}

const testCA = "ca.test"

var week = 7 * 24 * time.Hour

// testLimits are Let's Encrypt's own.
func testLimits() acme.Limits {
	return acme.Limits{
		NewOrders:             acme.Limit{Count: 300, Burst: 300, Period: 3 * time.Hour},
		CertificatesPerDomain: acme.Limit{Count: 50, Burst: 50, Period: week},
		CertificatesPerSet:    acme.Limit{Count: 5, Burst: 5, Period: week},
		FailedAuthorizations:  acme.Limit{Count: 5, Burst: 5, Period: time.Hour},
	}
}

func newWorld(t *testing.T, limits acme.Limits) *world {
	t.Helper()
	dirs, err := acme.NewDirectories(acme.CA{
		Name: "Test", Production: []string{testCA}, Limits: &limits, RenewalExemption: 120 * 24 * time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	ca, ok := dirs.Service("https://" + testCA)
	if !ok {
		t.Fatal("the CA is not known")
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dirs: dirs, ca: ca, now: noon, orders: map[string]bool{}}
	w.client = fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.IssuanceBudget{}).WithInterceptorFuncs(interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, c client.Client, name string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			if err := w.outage(); err != nil {
				return err
			}
			w.mu.Lock()
			w.writes++
			w.mu.Unlock()
			return c.SubResource(name).Update(ctx, o, opts...)
		},
	}).Build()
	return w
}

func (w *world) outage() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.away
}

// written is how often a status was written.
func (w *world) written() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writes
}

func (w *world) setAway(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away = err
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// replica starts a ledger on this world; kill ends it as SIGKILL would, with what it had not stored.
func (w *world) replica() (l *Ledger, kill func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l = New(Options{
		Client: w.client, Directories: func() acme.Directories { return w.dirs }, OrdersReady: func() error { return nil },
		Orders: func(f func(string) bool) {
			w.mu.Lock()
			defer w.mu.Unlock()
			for uid := range w.orders {
				f(uid)
			}
		},
		Log: testr.New(w.t), Now: w.clock,
	})
	informer := toolscache.NewSharedIndexInformer(toolscache.ToListWatcherWithWatchListSemantics(&toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, _ metav1.ListOptions) (runtime.Object, error) {
			var list v1alpha1.IssuanceBudgetList
			return &list, w.client.List(ctx, &list)
		},
		WatchFuncWithContext: func(ctx context.Context, _ metav1.ListOptions) (watch.Interface, error) {
			return w.client.Watch(ctx, &v1alpha1.IssuanceBudgetList{})
		},
	}, listsFirst{}), &v1alpha1.IssuanceBudget{}, 0, toolscache.Indexers{})
	go informer.RunWithContext(ctx)
	if !l.attach(ctx, informer) {
		w.t.Fatal("the informer did not sync")
	}
	done := make(chan struct{})
	go func() { defer close(done); l.serve(ctx) }()
	kill = func() { cancel(); <-done }
	w.t.Cleanup(kill)
	return l, kill
}

// listsFirst says that the fake cannot stream a list.
type listsFirst struct{}

func (listsFirst) IsWatchListSemanticsUnSupported() bool { return true }

var uids struct {
	sync.Mutex
	n int
}

// order is a new order for some names.
func (w *world) order(certificate string, names ...string) Order {
	uids.Lock()
	defer uids.Unlock()
	uids.n++
	return NewOrder(Order{
		UID: fmt.Sprintf("uid-%d", uids.n), Name: fmt.Sprintf("order-%d", uids.n), Namespace: "shop", Certificate: certificate, Service: w.ca,
		Account: "https://ca.test/acct/1", Created: w.clock(),
	}, names)
}

// issue lets an order through and issues it.
func (w *world) issue(l *Ledger, o Order) bool {
	w.t.Helper()
	b, err := l.Reserve(w.t.Context(), o, true)
	if err != nil {
		w.t.Fatal(err)
	}
	if !b.Allowed {
		return false
	}
	l.Changed(Seen{Order: o, Stage: Issued, Taken: true, IssuedAt: w.clock()})
	return true
}

// stored waits until a replica has stored everything, and its cache has seen it.
func (w *world) stored(l *Ledger) {
	w.t.Helper()
	waitFor(w.t, "everything to be stored", func() bool {
		l.mu.Lock()
		waiting := len(l.pending)
		l.mu.Unlock()
		return waiting == 0 && w.seen(l)
	})
}

func (w *world) seen(l *Ledger) bool {
	w.t.Helper()
	var list v1alpha1.IssuanceBudgetList
	if err := w.client.List(w.t.Context(), &list); err != nil {
		w.t.Fatal(err)
	}
	for _, b := range list.Items {
		object, ok, err := (*l.informer.Load()).GetIndexer().GetByKey(b.Name)
		have, is := object.(*v1alpha1.IssuanceBudget)
		if err != nil || !ok || !is || have.ResourceVersion != b.ResourceVersion {
			return false
		}
	}
	return true
}

// budget reads a budget as it is stored.
func (w *world) budget(domain string) *entry {
	w.t.Helper()
	return w.entryOf(subject{ca: w.ca, domain: domain})
}

func (w *world) entryOf(s subject) *entry {
	w.t.Helper()
	var b v1alpha1.IssuanceBudget
	if err := w.client.Get(w.t.Context(), client.ObjectKey{Name: s.name()}, &b); err != nil {
		w.t.Fatal(err)
	}
	return newEntry(s, &b)
}

func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("gave up waiting for %s", what)
		case <-tick.C:
		}
	}
}
