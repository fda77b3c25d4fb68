package ledger

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// stripes is how many budgets can be written side by side.
const stripes = 256

func (l *Ledger) lock(name string) *sync.Mutex {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // it never fails
	return &l.locks[h.Sum32()%stripes]
}

// attempts bounds the conditional writes of one update; each loses only against somebody else's success.
const attempts = 12

// update stores what change does to a budget, together with what waits to be stored, on condition that nobody else has
// written meanwhile; otherwise it reads again and asks change again. An error of change, or its false with nothing
// waiting, ends it without a write.
func (l *Ledger) update(ctx context.Context, s subject, change func(*entry) (bool, error)) error {
	name := s.name()
	m := l.lock(name)
	m.Lock()
	defer m.Unlock()
	object := l.freshest(name)
	for range attempts {
		l.rebuild(s, object)
		done, err := l.try(ctx, s, object, change)
		switch {
		case err != nil && refusedForGood(err) && l.abandon(name, err):
			continue // without what the API server does not take
		case done || (err != nil && !conflicting(err)):
			return err
		case ctx.Err() != nil:
			return fmt.Errorf("writing the budget %s: %w", name, ctx.Err())
		}
		if object, err = l.read(ctx, name); err != nil {
			return err
		}
	}
	return fmt.Errorf("writing the budget %s: others were quicker %d times", name, attempts)
}

// refusedForGood is true for an object that the API server will never take.
func refusedForGood(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsRequestEntityTooLargeError(err) || apierrors.IsBadRequest(err)
}

// abandon gives up what waits for a budget, so that it does not keep everything else from being counted; false when
// nothing waited.
func (l *Ledger) abandon(name string, err error) bool {
	l.mu.Lock()
	waited := l.pending[name] != nil
	delete(l.pending, name)
	l.mu.Unlock()
	if waited {
		l.Lost(name, err)
	}
	return waited
}

// rebuild counts what still exists before a budget that could not be read is written anew.
func (l *Ledger) rebuild(s subject, object *v1alpha1.IssuanceBudget) {
	if object == nil {
		return
	}
	l.mu.Lock()
	e, version := l.decode(s, s.name(), object), object.Name+" "+object.ResourceVersion
	first := e.corrupt != nil && l.told != version
	if first {
		l.told = version
	}
	l.mu.Unlock()
	if first {
		l.Corrupt(object, e.corrupt)
	}
	if e.corrupt != nil {
		l.Reseed()
	}
}

func conflicting(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err)
}

// read asks the API server; nil for a budget that does not exist.
func (l *Ledger) read(ctx context.Context, name string) (*v1alpha1.IssuanceBudget, error) {
	out := &v1alpha1.IssuanceBudget{}
	err := l.Client.Get(ctx, client.ObjectKey{Name: name}, out)
	switch {
	case apierrors.IsNotFound(err):
		l.mu.Lock()
		delete(l.written, name)
		l.mu.Unlock()
		return nil, nil //nolint:nilnil // no budget is an answer, and newEntry takes nil
	case err != nil:
		return nil, fmt.Errorf("reading the budget %s: %w", name, err)
	}
	return out, nil
}

// try makes one attempt on one version of the object. It is done when nothing is left to write.
func (l *Ledger) try(ctx context.Context, s subject, object *v1alpha1.IssuanceBudget, change func(*entry) (bool, error)) (done bool, err error) {
	l.mu.Lock()
	e := l.decode(s, s.name(), object).clone()
	stored := map[string]time.Time{}
	waited := false
	if p := l.pending[s.name()]; p != nil {
		waited = p.applyTo(e)
		for id, c := range p.changes {
			stored[id] = c.since
		}
	}
	l.mu.Unlock()
	changed, err := change(e)
	if err != nil {
		return true, err
	}
	if !changed && !waited && e.corrupt == nil {
		l.stored(s.name(), stored)
		return true, nil
	}
	l.prune(e)
	if object == nil {
		if e.state.empty(l.Now()) || l.full() { // an order that came and went leaves nothing to store
			l.stored(s.name(), stored)
			return true, nil
		}
		if object, err = l.create(ctx, s); err != nil {
			return false, err
		}
	}
	next := &v1alpha1.IssuanceBudget{ObjectMeta: metav1.ObjectMeta{
		Name: object.Name, UID: object.UID, ResourceVersion: object.ResourceVersion,
	}, Spec: object.Spec}
	e.state.bound()
	next.Status = e.status(l.Now(), object.Status)
	if err := l.Client.Status().Update(ctx, next); err != nil {
		return false, fmt.Errorf("writing the budget %s: %w", object.Name, err)
	}
	l.mu.Lock()
	l.written[object.Name] = next
	l.mu.Unlock()
	l.stored(s.name(), stored)
	return true, nil
}

// prune forgets what no longer matters, unless this replica's clock has jumped: what it forgets is forgotten for all.
func (l *Ledger) prune(e *entry) {
	now := l.Now()
	if jumped := now.Round(0).Sub(l.started.Round(0)) - now.Sub(l.started); jumped > clockSlack || jumped < -clockSlack {
		return
	}
	e.state.prune(now, e.memory(), e.ca.RenewalExemption())
}

// maxBudgets bounds what orders for ever new domains can make of the cluster: beyond it, domains that are new are not
// metered. 100,000 Certificates rarely have half as many registered domains.
const maxBudgets = 100_000

// full is true when no further budget is made.
func (l *Ledger) full() bool {
	if l.budgets.Load() < maxBudgets {
		return false
	}
	l.Full()
	return true
}

func (l *Ledger) create(ctx context.Context, s subject) (*v1alpha1.IssuanceBudget, error) {
	b := &v1alpha1.IssuanceBudget{
		ObjectMeta: metav1.ObjectMeta{Name: s.name()},
		Spec:       v1alpha1.IssuanceBudgetSpec{CA: s.ca.Host, Domain: s.domain, Account: s.account},
	}
	if err := l.Client.Create(ctx, b); err != nil {
		return nil, fmt.Errorf("creating the budget %s: %w", b.Name, err)
	}
	return b, nil
}

// stored forgets waiting changes that have been written.
func (l *Ledger) stored(name string, ids map[string]time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.pending[name]
	if p == nil {
		return
	}
	p.sum = nil
	for id, since := range ids {
		if p.changes[id].since.Equal(since) {
			delete(p.changes, id)
		}
	}
	if len(p.changes) == 0 {
		delete(l.pending, name)
	}
}
