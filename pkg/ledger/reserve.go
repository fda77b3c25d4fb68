package ledger

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/policy"
)

// Assess says what the CA would answer to an order now, from memory alone, and in which bucket it is tightest. An order
// at a CA without known limits gets a Budget that is not Known.
func (l *Ledger) Assess(o Order) policy.Budget {
	if !o.metered() {
		return policy.Budget{}
	}
	return l.book(&o).assess(&o, l.Now())
}

func (l *Ledger) book(o *Order) *book {
	domains, account, accounted := subjects(o)
	b := &book{domains: map[string]*entry{}}
	for _, s := range domains {
		b.domains[s.domain] = l.entry(s)
	}
	if accounted {
		b.account = l.entry(account)
	}
	return b
}

// errRefused ends a reservation that a bucket does not allow.
var errRefused = errors.New("a bucket is used up")

// Reserve takes an order's place in every bucket before the order exists, so that no other replica gives the same token
// away. With enforce, it takes none when one of them has no token left, and returns what the freshest state says; without,
// it always does. An order that never appears gives its places back after the grace time.
//
// It writes to the API server. An error says that nobody knows whether the place is taken: the order must wait.
func (l *Ledger) Reserve(ctx context.Context, o Order, enforce bool) (policy.Budget, error) {
	if !o.metered() {
		return policy.Budget{}, nil
	}
	now := l.Now()
	uid := keyOfUID(o.UID)
	b := l.book(&o)
	renewal := b.renewal(&o, now)
	domains, account, accounted := subjects(&o)
	all := domains
	if accounted && !renewal && !o.ARI {
		all = append(all, account)
	}
	slices.SortFunc(all, func(a, b subject) int { return cmp.Compare(a.name(), b.name()) }) // one order for everybody
	var taken []subject
	refused := policy.Budget{}
	for _, s := range all {
		err := l.update(ctx, s, func(e *entry) (bool, error) {
			if enforce {
				if fresh := b.with(e).assess(&o, now); !fresh.Allowed {
					refused = fresh
					return false, errRefused
				}
			}
			return e.fly(&o, uid, renewal, now), nil
		})
		if err != nil {
			for _, t := range taken {
				l.wait(t, "released/"+o.UID, now, func(e *entry) bool { return e.drop(uid) })
			}
			if errors.Is(err, errRefused) {
				return refused, nil
			}
			return policy.Budget{}, err
		}
		taken = append(taken, s)
	}
	l.Moved()
	return policy.Budget{Known: true, Allowed: true, CA: o.Service.Directory}, nil
}

// LetThrough reports whether an Order of this UID and these names has been let through for a CA, and not ended yet.
func (l *Ledger) LetThrough(service acme.Service, uid string, names []string) bool {
	o := NewOrder(Order{UID: uid, Service: service}, names)
	if !o.metered() {
		return false
	}
	_, flying := l.entry(subject{ca: service, domain: o.home()}).state.inFlight[keyOfUID(uid)]
	return flying
}

// Note takes an order's place at once here, and in what is stored as soon as the API server takes it.
func (l *Ledger) Note(o Order) {
	if !o.metered() {
		return
	}
	now := l.Now()
	uid := keyOfUID(o.UID)
	renewal := l.book(&o).renewal(&o, now)
	domains, account, accounted := subjects(&o)
	if accounted && !renewal && !o.ARI {
		domains = append(domains, account)
	}
	for _, s := range domains {
		l.wait(s, "noted/"+o.UID, now, func(e *entry) bool { return e.fly(&o, uid, renewal, now) })
	}
}

// with returns the book with one of its budgets replaced by a fresher one.
func (b *book) with(e *entry) *book {
	out := &book{domains: maps.Clone(b.domains), account: b.account}
	if e.account != "" {
		out.account = e
	} else {
		out.domains[e.domain] = e
	}
	return out
}

// wait notes a change to be stored, and counts it from now on.
func (l *Ledger) wait(s subject, id string, at time.Time, apply func(*entry) bool) {
	l.waitWith(s, id, change{at: at, apply: apply})
}

func (l *Ledger) waitWith(s subject, id string, c change) {
	name := s.name()
	l.mu.Lock()
	p := l.pending[name]
	if p == nil {
		p = &pending{subject: s, changes: map[string]change{}}
		l.pending[name] = p
	}
	if _, known := p.changes[id]; !known {
		c.since = l.Now()
		p.changes[id], p.sum = c, nil
	}
	l.mu.Unlock()
	l.queue.AddAfter(name, l.delay())
}

// delay lets the leader write first: the others find it done.
func (l *Ledger) delay() time.Duration {
	if l.Leading() {
		return 50 * time.Millisecond
	}
	return 2 * time.Second
}

// inOrder sorts changes by when they happened: a bucket's arithmetic depends on it.
func (p *pending) inOrder() []change {
	out := make([]change, 0, len(p.changes))
	for _, id := range sortedKeys(p.changes) {
		out = append(out, p.changes[id])
	}
	slices.SortStableFunc(out, func(a, b change) int { return a.at.Compare(b.at) })
	return out
}
