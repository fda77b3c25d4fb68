package ledger

import (
	"slices"
	"time"

	"github.com/certwire/certwire/pkg/acme"
)

// Stage is how far an Order has come.
type Stage int

// The stages of an Order.
const (
	// Pending is an order whose names are still to be proven: the CA counts nothing yet.
	Pending Stage = iota
	// Finalizing is one whose certificate is being made or could be at any moment.
	Finalizing
	// Issued is one whose certificate exists.
	Issued
	// Failed is one that will never be issued.
	Failed
)

// Seen is an Order as the watch shows it.
type Seen struct {
	Order
	Stage Stage
	// Taken is true once the CA has answered with an order of its own.
	Taken bool
	// IssuedAt is when the certificate was issued, as far as the certificate tells; zero when it does not.
	IssuedAt time.Time
	// Reason is what the CA said when it failed.
	Reason string
	// Deleted is true when the object is gone.
	Deleted bool
}

// Changed counts what has become of an order. Telling it the same twice is telling it once, so every replica may, in any
// order, and again after a restart. What it counts holds for this replica's answers at once, and is stored as soon as the
// API server takes it.
//
// Nothing is counted before the budgets have been read: then every Order is shown again, see [Options.Reseed].
func (l *Ledger) Changed(s Seen) {
	if !s.metered() || s.UID == "" || !l.reading.Load() {
		return
	}
	o := s.Order
	uid := keyOfUID(o.UID)
	domains, account, accounted := subjects(&o)
	if accounted && s.Taken {
		l.taken(account, o, uid)
	}
	switch {
	case s.Stage == Issued, s.Deleted && s.Stage == Finalizing: // what is deleted then may have been issued already
		l.issued(domains, o, uid, l.issuedAt(s))
	case s.Stage == Failed, s.Deleted:
		l.failed(s, domains, account, accounted, uid)
	default:
		l.underWay(domains, o, uid)
	}
}

// issuedAt is the time to count from: the certificate's own if it is plausible. Else it is the latest that it can have
// been, but for an order that was created longer ago than an order takes.
func (l *Ledger) issuedAt(s Seen) time.Time {
	now := l.Now()
	at := s.IssuedAt.Add(s.Service.Backdate)
	switch {
	case s.IssuedAt.IsZero() && now.Sub(s.Created) > longAgo:
		return s.Created
	case s.IssuedAt.IsZero(), at.After(now):
		at = now
	}
	if at.Before(s.Created) {
		at = s.Created
	}
	return at
}

// longAgo is longer than any order takes: Let's Encrypt's orders end after a week.
const longAgo = 8 * 24 * time.Hour

func (l *Ledger) issued(domains []subject, o Order, uid uidKey, at time.Time) {
	now := l.Now()
	for _, s := range domains {
		exemption := s.ca.RenewalExemption()
		keep := l.recorded(s).memory()
		// What waits is not asked: the same change twice is one change, and a cold start shows thousands for one budget.
		have := l.recorded(s)
		_, counted := have.state.counted[uid]
		_, flying := have.state.inFlight[uid]
		old := now.Sub(at) > keep
		if counted && !flying || old && now.Sub(at) > exemption || old && !have.state.sets[keyOfSet(o.Set)].issued.Before(at.Truncate(time.Second)) {
			continue // counted, or too long ago to matter
		}
		l.waitWith(s, "issued/"+o.UID, change{at: at, issues: keyOfSet(o.Set), apply: func(e *entry) bool {
			if old { // its tokens have come back long ago, but it makes the next one a renewal
				return e.remember(&o, at)
			}
			return e.land(&o, uid, o.Due || o.ARI && !e.isNew(&o, at) || e.state.renewal(keyOfSet(o.Set), at, exemption), at)
		}})
	}
}

// isNew is true when the set has not been issued within the renewal exemption.
func (e *entry) isNew(o *Order, at time.Time) bool {
	return !e.state.renewal(keyOfSet(o.Set), at, e.ca.RenewalExemption())
}

// remember notes that a set was issued, without counting it.
func (e *entry) remember(o *Order, at time.Time) bool {
	key := keyOfSet(o.Set)
	x := e.state.sets[key]
	at = at.Truncate(time.Second).UTC()
	if !at.After(x.issued) {
		return false
	}
	x.issued = at
	e.state.sets[key] = x
	return true
}

// taken counts an order against its account, once the CA has taken it. Renewals do not count.
func (l *Ledger) taken(s subject, o Order, uid uidKey) {
	have := l.recorded(s) // places of an account are stored before the order exists
	_, counted := have.state.counted[uid]
	_, flying := have.state.inFlight[uid]
	if counted || o.ARI || l.Now().Sub(o.Created) > have.memory() {
		return
	}
	if !flying { // it was not let through by the gate: whether it is a renewal follows from the time before it
		home := subject{ca: s.ca, domain: o.home()}
		b := &book{domains: map[string]*entry{o.home(): l.recorded(home)}}
		if b.renewal(&o, l.Now()) || l.issuedWaiting(home, &o) {
			return
		}
	}
	at := o.Created
	if at.IsZero() {
		at = l.Now()
	}
	l.wait(s, "taken/"+o.UID, at, func(e *entry) bool { return e.land(&o, uid, false, at) })
}

// issuedWaiting is true when an issuance that is not stored yet makes an order a renewal.
func (l *Ledger) issuedWaiting(home subject, o *Order) bool {
	exemption := o.Service.RenewalExemption()
	if exemption <= 0 {
		return false
	}
	before := o.Created
	if before.IsZero() {
		before = l.Now()
	}
	before = before.Add(time.Second)
	name, set := home.name(), keyOfSet(o.Set)
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.pending[name]
	if p == nil {
		return false
	}
	for _, c := range p.changes {
		if c.issues == set && c.at.Before(before) && c.at.After(before.Add(-exemption)) {
			return true
		}
	}
	return false
}

// failed gives back what the order held, and learns from what the CA said.
func (l *Ledger) failed(s Seen, domains []subject, account subject, accounted bool, uid uidKey) {
	now := l.Now()
	if now.Before(s.Created) { // so that giving back comes after taking, with a clock that is behind
		now = s.Created
	}
	all := domains
	if accounted && !s.Taken {
		all = append(slices.Clip(all), account)
	}
	for _, subject := range all {
		if _, flying := l.entry(subject).state.inFlight[uid]; flying {
			l.wait(subject, "released/"+s.UID, now, func(e *entry) bool { return e.drop(uid) })
		}
	}
	if limited, ok := acme.ParseRateLimited(s.Reason); ok && !limited.Paused && !limited.RetryAfter.IsZero() {
		l.calibrate(s.Order, limited, domains, account, accounted)
	}
}

// calibrate moves a bucket to where the CA says it is: others have used it too.
func (l *Ledger) calibrate(o Order, said acme.RateLimited, domains []subject, account subject, accounted bool) {
	set, now := keyOfSet(o.Set), l.Now()
	for _, s := range domains {
		ours := said.Limit == acme.CertificatesPerDomain && (said.Value == s.domain || len(domains) == 1) ||
			said.Limit == acme.CertificatesPerSet && s.domain == o.home()
		if !ours || !said.RetryAfter.After(l.Now()) {
			continue
		}
		l.wait(s, "calibrated/"+o.UID, said.RetryAfter, func(e *entry) bool {
			if said.Limit == acme.CertificatesPerDomain {
				return raise(&e.state.tat, e.limit(said.Limit), said.RetryAfter, now)
			}
			x := e.state.sets[set]
			changed := raise(&x.tat, e.limit(said.Limit), said.RetryAfter, now)
			e.state.sets[set] = x
			return changed
		})
	}
	if !accounted || !said.RetryAfter.After(l.Now()) {
		return
	}
	switch said.Limit {
	case acme.NewOrdersPerAccount:
		l.wait(account, "calibrated/"+o.UID, said.RetryAfter, func(e *entry) bool {
			return raise(&e.state.tat, e.limit(said.Limit), said.RetryAfter, now)
		})
	case acme.FailedAuthorizations:
		l.wait(account, "calibrated/"+o.UID, said.RetryAfter, func(e *entry) bool {
			tat := e.state.failed[said.Value]
			changed := raise(&tat, e.limit(said.Limit), said.RetryAfter, now)
			e.state.failed[said.Value] = tat
			return changed
		})
	}
}

// raise moves a bucket to where the CA says it is, and no further than a bucket can be used up now: what is said later than
// that is not said by these limits.
func raise(tat *time.Time, l acme.Limit, retryAfter, now time.Time) bool {
	if !l.Enabled() {
		return false
	}
	next := l.Calibrate(*tat, retryAfter)
	if most := now.Add(l.BurstOffset()); next.After(most) {
		next = most
	}
	changed := next.After(*tat)
	*tat = next
	return changed
}

// underWay notes an order that the gate did not see, such as one in a namespace that is left alone.
func (l *Ledger) underWay(domains []subject, o Order, uid uidKey) {
	now := l.Now()
	if now.Sub(o.Created) > waitsAtMost {
		return
	}
	for _, s := range domains {
		have := l.entry(s)
		_, counted := have.state.counted[uid]
		if _, flying := have.state.inFlight[uid]; counted || flying {
			continue
		}
		renewal := o.Due || have.state.renewal(keyOfSet(o.Set), o.Created.Add(time.Second), s.ca.RenewalExemption())
		l.wait(s, "under-way/"+o.UID, o.Created, func(e *entry) bool { return e.fly(&o, uid, renewal, now) })
	}
}

// FailedAuthorization counts a challenge that the CA found invalid, once for each uid.
func (l *Ledger) FailedAuthorization(service acme.Service, account, identifier, uid string, at time.Time) {
	s := subject{ca: service, account: account}
	limit := service.Limits.FailedAuthorizations
	names := acme.NormalizeIdentifiers([]string{identifier})
	if account == "" || !limit.Enabled() || len(names) != 1 || len(names[0]) > maxName || l.Now().Sub(at) > limit.BurstOffset() || !l.reading.Load() {
		return
	}
	identifier = names[0]
	key := keyOfUID(uid)
	if _, counted := l.entry(s).state.counted[key]; counted {
		return
	}
	l.wait(s, "failed/"+uid, at, func(e *entry) bool {
		if _, counted := e.state.counted[key]; counted {
			return false
		}
		e.state.counted[key] = at.Truncate(time.Second).UTC()
		e.state.failed[identifier] = spend(limit, at, e.state.failed[identifier])
		return true
	})
}
