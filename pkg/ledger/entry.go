package ledger

import (
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

// subject says what a budget is for.
type subject struct {
	ca              acme.Service
	domain, account string
}

func (s subject) same(as subject) bool {
	return s.domain == as.domain && s.account == as.account && s.ca.Host == as.ca.Host && s.ca.Limits == as.ca.Limits &&
		s.ca.RenewalExemption() == as.ca.RenewalExemption()
}

func (s subject) name() string { return BudgetName(s.ca.Host, s.domain, s.account) }

// entry is one budget, decoded. Its state and recent orders are its own; the spec is shared and never changed.
type entry struct {
	subject
	spec   v1alpha1.IssuanceBudgetSpec
	state  *state
	recent []v1alpha1.CountedOrder
	// corrupt is set when what was stored could not be read; the state is then empty.
	corrupt error
}

// newEntry decodes a budget object; nil is a budget that does not exist yet.
func newEntry(s subject, object *v1alpha1.IssuanceBudget) *entry {
	e := &entry{subject: s, state: newState()}
	if object == nil {
		return e
	}
	e.spec = object.Spec
	e.recent = slices.Clone(object.Status.Recent)
	decoded, err := decodeState(object.Status.State)
	if err != nil {
		e.corrupt = err
		return e
	}
	e.state = decoded
	return e
}

func (e *entry) clone() *entry {
	out := *e
	out.state, out.recent = e.state.clone(), slices.Clone(e.recent)
	return &out
}

// limit is a limit as this budget's owner has set it: the one that the CA granted, and this cluster's share of it.
func (e *entry) limit(name acme.LimitName) acme.Limit {
	l := e.granted(name)
	if name != acme.CertificatesPerDomain && name != acme.NewOrdersPerAccount {
		return l
	}
	if share := e.spec.Share; share != nil && l.Enabled() {
		l.Count, l.Burst = max(1, l.Count*int64(*share)/100), max(1, l.Burst*int64(*share)/100)
	}
	return l
}

// granted is a limit as the CA has it.
func (e *entry) granted(name acme.LimitName) acme.Limit {
	if g := e.spec.Limit; g != nil && (name == acme.CertificatesPerDomain || name == acme.NewOrdersPerAccount) {
		return acme.Limit{Count: g.Count, Burst: g.Count, Period: g.Period.Duration}
	}
	return e.ca.Limits.Of(name)
}

// memory is how long an order is known as counted here: as long as it can still matter to one of these buckets.
func (e *entry) memory() time.Duration { return e.subject.memory(e.granted(e.own())) }

func (s subject) memory(own acme.Limit) time.Duration {
	other := acme.CertificatesPerSet
	if s.account != "" {
		other = acme.FailedAuthorizations
	}
	return max(time.Hour, own.BurstOffset(), s.ca.Limits.Of(other).BurstOffset())
}

// kept is how much of a bucket is kept for due renewals: the owner's reserve, but never all of it. One that suits a domain
// is more than a set of names has in a week, and would end all orders.
func (e *entry) kept(l acme.Limit) int64 {
	if e.spec.Reserve == nil {
		return 0
	}
	return min(int64(*e.spec.Reserve), max(l.Burst-1, 0))
}

// own is the limit that the budget's own bucket, state.tat, belongs to.
func (e *entry) own() acme.LimitName {
	if e.account != "" {
		return acme.NewOrdersPerAccount
	}
	return acme.CertificatesPerDomain
}

// fly notes an order that was let through, in the place of an earlier one of its name; an order that was counted already is
// left alone.
func (e *entry) fly(o *Order, uid uidKey, renewal bool, since time.Time) bool {
	if _, done := e.state.counted[uid]; done {
		return false
	}
	if _, known := e.state.inFlight[uid]; known {
		return false
	}
	name := o.key()
	maps.DeleteFunc(e.state.inFlight, func(_ uidKey, f flight) bool { return f.named(name) })
	e.state.inFlight[uid] = flight{
		set: keyOfSet(o.Set), name: name, since: since.Truncate(time.Second).UTC(), domain: !renewal,
		home: e.account == "" && o.home() == e.domain,
	}
	return true
}

// land counts an order that the CA has issued for (in an account's budget: that it has taken), once. What does not fit
// into a bucket is not counted beyond its floor, as the CA does.
func (e *entry) land(o *Order, uid uidKey, renewal bool, at time.Time) bool {
	flying, flew := e.state.inFlight[uid]
	delete(e.state.inFlight, uid)
	if _, done := e.state.counted[uid]; done {
		return flew
	}
	if flew {
		renewal = !flying.domain
	}
	e.state.counted[uid] = at.Truncate(time.Second).UTC()
	if !renewal {
		e.state.tat = spend(e.limit(e.own()), at, e.state.tat)
	}
	if e.account == "" {
		e.rememberSet(o, at)
	}
	e.note(o, renewal, at)
	return true
}

// rememberSet notes that a set was issued and, in the budget that holds the set's bucket, spends.
func (e *entry) rememberSet(o *Order, at time.Time) {
	key := keyOfSet(o.Set)
	x := e.state.sets[key]
	if o.home() == e.domain {
		x.tat = spend(e.limit(acme.CertificatesPerSet), at, x.tat)
	}
	if seconds := at.Truncate(time.Second).UTC(); seconds.After(x.issued) {
		x.issued = seconds
	}
	e.state.sets[key] = x
}

// spend takes one token if there is one.
func spend(l acme.Limit, at, tat time.Time) time.Time {
	if !l.Enabled() {
		return tat
	}
	if r := l.Spend(at, tat, 1); r.Allowed {
		return r.TAT
	}
	return tat
}

// maxRecent bounds the list that people read.
const maxRecent = 60

func (e *entry) note(o *Order, renewal bool, at time.Time) {
	n := v1alpha1.CountedOrder{
		Time: metav1.NewTime(at.Truncate(time.Second)), Namespace: o.Namespace, Certificate: o.Certificate,
		Names: short(o.Names), Renewal: renewal,
	}
	if e.account == "" {
		n.Set = keyOfSet(o.Set).String()
	}
	i, _ := slices.BinarySearchFunc(e.recent, n, func(a, b v1alpha1.CountedOrder) int { return b.Time.Compare(a.Time.Time) })
	e.recent = slices.Insert(e.recent, i, n)
	e.recent = e.recent[:min(len(e.recent), maxRecent)]
}

// drop forgets an order in flight that came to nothing.
func (e *entry) drop(uid uidKey) bool {
	_, flew := e.state.inFlight[uid]
	delete(e.state.inFlight, uid)
	return flew
}
