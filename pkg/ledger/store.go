package ledger

import (
	"context"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

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
