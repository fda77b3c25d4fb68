package ledger

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

// Options are the ways to build a Ledger.
type Options struct {
	// Cache is the manager's; budgets are read from it.
	Cache cache.Cache
	// Client writes budgets, and reads them when the cache is behind. It must not be a caching client.
	Client client.Client
	// Directories are the configured CAs.
	Directories func() acme.Directories
	// Orders gives the UIDs of all Orders in the cluster; it is asked only once the inventory is ready.
	Orders func(func(uid string) bool)
	// Reseed shows every Order to [Ledger.Changed] again before it returns. Called when the budgets have been read, and when
	// one was deleted or could not be read.
	Reseed func()
	// OrdersReady returns nil once Orders is complete.
	OrdersReady func() error
	// Corrupt is told of a budget that could not be read, before it is rebuilt. Optional.
	Corrupt func(*v1alpha1.IssuanceBudget, error)
	// Lost is told of changes that the API server does not take, and that are given up. Optional.
	Lost func(budget string, err error)
	// Full is told that a new domain is not metered, because there are too many budgets. Optional.
	Full func()
	// Leading is true on the replica that writes first. Optional.
	Leading func() bool
	// Moved is called when a budget has changed, so that somebody who waits may have a turn. Optional.
	Moved func()
	Log   logr.Logger
	Now   func() time.Time
	// Grace is how long after it was let through an order may take to appear. Defaults to a minute.
	Grace time.Duration
}

// Ledger counts orders. Build it with [New], run it with Start.
type Ledger struct {
	Options

	informer atomic.Pointer[toolscache.SharedIndexInformer]
	reading  atomic.Bool // the budgets are there, so Orders can be counted
	synced   atomic.Bool // and those that exist have been
	reseeds  again
	trouble  string       // the last cause for which the budgets could not be watched
	told     string       // the last version that was said to be corrupt
	budgets  atomic.Int64 // how many there are
	started  time.Time
	queue    workqueue.TypedRateLimitingInterface[string]

	locks   [stripes]sync.Mutex // by a budget's name; nobody holds two
	mu      sync.Mutex
	written map[string]*v1alpha1.IssuanceBudget // our last write, while the cache may be behind
	decoded map[string]cached
	pending map[string]*pending
}

// cached is a decoded budget, valid for one version of the object.
type cached struct {
	version string
	entry   *entry
}

// pending are changes of one budget that are known here and not stored yet. They count all the same.
type pending struct {
	subject subject
	changes map[string]change
	// sum is what they make of base; nil when it has to be worked out again.
	base, sum *entry
}

// change is one thing that happened. Applying it twice is applying it once.
type change struct {
	at    time.Time
	since time.Time // when it came to be waiting
	// issues is the set of names that was issued; zero for other changes.
	issues setKey
	apply  func(*entry) bool
}

// New returns a Ledger that is not started.
func New(o Options) *Ledger {
	if o.Grace <= 0 {
		o.Grace = time.Minute
	}
	for _, f := range []*func(){&o.Reseed, &o.Moved, &o.Full} {
		if *f == nil {
			*f = func() {}
		}
	}
	if o.Corrupt == nil {
		o.Corrupt = func(*v1alpha1.IssuanceBudget, error) {}
	}
	if o.Lost == nil {
		o.Lost = func(string, error) {}
	}
	if o.Leading == nil {
		o.Leading = func() bool { return true }
	}
	return &Ledger{
		Options: o, started: o.Now(),
		queue:   workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](100*time.Millisecond, 10*time.Second)),
		written: map[string]*v1alpha1.IssuanceBudget{},
		decoded: map[string]cached{}, pending: map[string]*pending{},
	}
}

// ErrNotSynced is returned by Ready while the budgets are being read.
var ErrNotSynced = errors.New("the budgets are still being read")

// Ready returns nil once every budget has been read.
func (l *Ledger) Ready() error {
	if !l.synced.Load() {
		return fmt.Errorf("IssuanceBudgets: %w", ErrNotSynced)
	}
	return nil
}

// subjects are the budgets that an order concerns: one for each registered domain, and the account's, if it is known.
func subjects(o *Order) (domains []subject, account subject, accounted bool) {
	for _, d := range o.Domains {
		domains = append(domains, subject{ca: o.Service, domain: d})
	}
	return domains, subject{ca: o.Service, account: o.Account}, o.Account != ""
}

// entry returns a budget as this replica knows it: stored, and what is still to be stored. It must not be changed.
func (l *Ledger) entry(s subject) *entry {
	name := s.name()
	object := l.freshest(name)
	l.mu.Lock()
	defer l.mu.Unlock()
	have := l.decode(s, name, object)
	waiting := l.pending[name]
	if waiting == nil || len(waiting.changes) == 0 {
		return have
	}
	if waiting.sum == nil || waiting.base != have {
		sum := have.clone()
		waiting.applyTo(sum)
		waiting.base, waiting.sum = have, sum
	}
	return waiting.sum
}

// recorded returns a budget as it is stored, without what waits. It must not be changed.
func (l *Ledger) recorded(s subject) *entry {
	name := s.name()
	object := l.freshest(name)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.decode(s, name, object)
}

// decode reads an object, once for each version of it. The caller holds mu.
func (l *Ledger) decode(s subject, name string, object *v1alpha1.IssuanceBudget) *entry {
	version := ""
	if object != nil {
		version = object.ResourceVersion
	}
	have, ok := l.decoded[name]
	if !ok || have.version != version || !have.entry.subject.same(s) {
		have = cached{version: version, entry: newEntry(s, object)}
		if len(l.decoded) > maxDecoded {
			clear(l.decoded)
		}
		l.decoded[name] = have
	}
	return have.entry
}

// maxDecoded bounds the budgets that are kept decoded.
const maxDecoded = 4096

func (p *pending) applyTo(e *entry) bool {
	changed := false
	for _, c := range p.inOrder() {
		changed = c.apply(e) || changed
	}
	return changed
}

// freshest returns the newest version of a budget that this replica has seen: the cache's, or its own last write. Nil
// when there is none.
func (l *Ledger) freshest(name string) *v1alpha1.IssuanceBudget {
	var cached *v1alpha1.IssuanceBudget
	if informer := l.informer.Load(); informer != nil {
		if o, ok, err := (*informer).GetIndexer().GetByKey(name); err == nil && ok {
			cached, _ = o.(*v1alpha1.IssuanceBudget)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	own := l.written[name]
	switch {
	case own == nil:
		return cached
	case cached != nil:
		if c, err := resourceversion.CompareResourceVersion(cached.ResourceVersion, own.ResourceVersion); err != nil || c >= 0 {
			delete(l.written, name)
			return cached
		}
	}
	return own
}
