package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

// workers is how many budgets are written at a time.
const workers = 4

// NeedLeaderElection is false: every replica counts.
func (l *Ledger) NeedLeaderElection() bool { return false }

// Start reads the budgets and stores what happens until the context ends, with nil. A CRD or an API server that is not
// there is waited for.
func (l *Ledger) Start(ctx context.Context) error {
	for !l.listen(ctx) {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(2 * time.Second):
		}
	}
	l.serve(ctx)
	return nil
}

// serve stores what happens until the context ends.
func (l *Ledger) serve(ctx context.Context) {
	var working sync.WaitGroup
	for range workers {
		working.Go(func() { l.work(ctx) })
	}
	<-ctx.Done()
	l.queue.ShutDown()
	working.Wait()
}

func (l *Ledger) listen(ctx context.Context) bool {
	got, err := l.Cache.GetInformer(ctx, &v1alpha1.IssuanceBudget{}, cache.BlockUntilSynced(false))
	if err != nil {
		if text := err.Error(); text != l.trouble { // once for each cause, not at every attempt
			l.trouble = text
			l.Log.Error(err, "The budgets cannot be watched yet, trying again")
		}
		return false
	}
	shared, ok := got.(toolscache.SharedIndexInformer)
	if !ok {
		l.Log.Error(errors.New("its informer has no index"), "The budgets cannot be watched")
		return false
	}
	return l.attach(ctx, shared)
}

// attach reads from an informer, and waits until it has synced.
func (l *Ledger) attach(ctx context.Context, shared toolscache.SharedIndexInformer) bool {
	l.informer.Store(&shared)
	registration, err := shared.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { l.budgets.Add(1); l.Moved() },
		UpdateFunc: func(any, any) { l.Moved() },
		DeleteFunc: l.deleted,
	})
	if err != nil {
		l.Log.Error(err, "The budgets cannot be watched yet, trying again")
		return false
	}
	if !toolscache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
		return false
	}
	l.reading.Store(true)
	l.Reseed()
	l.synced.Store(true)
	l.Log.Info("Caches have synced", "kinds", "IssuanceBudgets")
	return true
}

// deleted forgets what this replica wrote, and has what still exists counted again.
func (l *Ledger) deleted(object any) {
	l.budgets.Add(-1)
	if gone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	b, ok := object.(*v1alpha1.IssuanceBudget)
	if !ok {
		return
	}
	l.mu.Lock()
	delete(l.written, b.Name)
	delete(l.decoded, b.Name)
	l.mu.Unlock()
	service, known := l.Directories().Service("https://" + b.Spec.CA)
	e := newEntry(subject{ca: service, domain: b.Spec.Domain, account: b.Spec.Account}, b)
	if known && (e.corrupt != nil || !e.state.empty(l.Now())) { // not one that certwire removed, which knows nothing any more
		l.reseeds.do(l.Reseed)
	}
	l.Moved()
}

func (l *Ledger) work(ctx context.Context) {
	for {
		name, shutdown := l.queue.Get()
		if shutdown {
			return
		}
		if err := l.store(ctx, name); err != nil {
			if ctx.Err() == nil {
				l.Log.Error(err, "Orders are counted here but not stored yet, trying again", "budget", name)
			}
			l.queue.AddRateLimited(name)
		} else {
			l.queue.Forget(name)
		}
		l.queue.Done(name)
	}
}

// store writes what waits for one budget.
func (l *Ledger) store(ctx context.Context, name string) error {
	l.mu.Lock()
	p := l.pending[name]
	l.mu.Unlock()
	if p == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := l.update(ctx, p.subject, func(*entry) (bool, error) { return false, nil }); err != nil {
		return err
	}
	l.Moved()
	return nil
}

// Lag is how long the oldest change has been waiting to be stored.
func (l *Ledger) Lag() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	oldest := l.Now()
	for _, p := range l.pending {
		for _, c := range p.changes {
			if c.since.Before(oldest) {
				oldest = c.since
			}
		}
	}
	return l.Now().Sub(oldest)
}

// maintainEvery is how often stored budgets are looked at.
const maintainEvery = 15 * time.Second

// Maintain keeps what is stored true while time passes, until the context ends: it gives back what orders held that never
// appeared, refreshes what people read, and removes budgets that have nothing left to remember. One replica runs it.
func (l *Ledger) Maintain(ctx context.Context) {
	tick := time.NewTicker(maintainEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if l.Ready() == nil && l.OrdersReady() == nil {
			l.maintain(ctx)
		}
	}
}

func (l *Ledger) maintain(ctx context.Context) {
	exists := map[uidKey]bool{}
	l.Orders(func(uid string) bool { exists[keyOfUID(uid)] = true; return true })
	for _, o := range (*l.informer.Load()).GetIndexer().List() {
		b, ok := o.(*v1alpha1.IssuanceBudget)
		if !ok || ctx.Err() != nil {
			continue
		}
		if err := l.tend(ctx, b, exists); err != nil {
			l.Log.Error(err, "A budget could not be brought up to date, trying again", "budget", b.Name)
		}
	}
}

// tend looks after one budget.
func (l *Ledger) tend(ctx context.Context, b *v1alpha1.IssuanceBudget, exists map[uidKey]bool) error {
	service, ok := l.Directories().Service("https://" + b.Spec.CA)
	s := subject{ca: service, domain: b.Spec.Domain, account: b.Spec.Account}
	if !ok || s.name() != b.Name {
		return nil // a CA that is no longer configured, or an object that is not ours to keep
	}
	now := l.Now()
	e := newEntry(s, b)
	if e.corrupt == nil {
		l.settle(s, e, exists, now)
		l.prune(e)
		if e.state.empty(now) && e.untouched() {
			return l.remove(ctx, b)
		}
		if next := e.status(now, b.Status); sameView(next, b.Status) || large(b) && sameHeadline(next, b.Status) {
			return nil
		}
	}
	return l.update(ctx, s, func(*entry) (bool, error) { return true, nil })
}

// large is true for a budget that is not written for the sake of its details alone.
func large(b *v1alpha1.IssuanceBudget) bool { return len(b.Status.State) > 64<<10 }

// untouched is true when no owner has set anything.
func (e *entry) untouched() bool {
	return e.spec.Limit == nil && e.spec.Share == nil && e.spec.Reserve == nil
}

// remove deletes a budget on condition that nobody has written to it.
func (l *Ledger) remove(ctx context.Context, b *v1alpha1.IssuanceBudget) error {
	err := l.Client.Delete(ctx, b, client.Preconditions{UID: &b.UID, ResourceVersion: &b.ResourceVersion})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("removing the budget %s: %w", b.Name, err)
	}
	return nil
}

// settle decides about orders in flight. One that exists and holds its place no longer is counted when it is issued all the
// same. Of those that do not exist, one that this replica would have seen was never created, or its end was seen: its place is
// free. One from before this replica's time may have been issued and deleted while nobody looked: it counts, because a token
// too few is better than a refusal by the CA.
func (l *Ledger) settle(s subject, e *entry, exists map[uidKey]bool, now time.Time) {
	for uid, f := range e.state.inFlight {
		if now.Sub(f.since) < l.Grace || exists[uid] && now.Sub(f.since) < waitsAtMost {
			continue
		}
		id := "settled/" + string(uid[:])
		if exists[uid] || f.since.After(l.started) {
			l.wait(s, id, now, func(e *entry) bool { return e.drop(uid) })
			continue
		}
		if now.Sub(l.started) > 2*l.Grace { // a replica that was there before has had its say
			l.wait(s, id, f.since, func(e *entry) bool { return e.landUnseen(uid) })
		}
	}
}

// landUnseen counts an order of which nothing is known but that it was let through.
func (e *entry) landUnseen(uid uidKey) bool {
	f, flying := e.state.inFlight[uid]
	if !flying {
		return false
	}
	delete(e.state.inFlight, uid)
	e.state.counted[uid] = f.since
	if f.domain {
		e.state.tat = spend(e.limit(e.own()), f.since, e.state.tat)
	}
	if e.account == "" {
		x := e.state.sets[f.set]
		if f.home {
			x.tat = spend(e.limit(acme.CertificatesPerSet), f.since, x.tat)
		}
		if f.since.After(x.issued) {
			x.issued = f.since
		}
		e.state.sets[f.set] = x
	}
	return true
}
