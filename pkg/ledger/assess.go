package ledger

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/policy"
)

// book holds the budgets that one order concerns.
type book struct {
	domains map[string]*entry
	account *entry // nil when the account is not known
}

// renewal reports whether the CA will treat the order as a renewal: this very set was issued not long ago, as far as the
// ledger knows, or a Certificate in use proves it.
func (b *book) renewal(o *Order, now time.Time) bool {
	if o.Service.RenewalExemption() <= 0 {
		return false
	}
	if o.Due {
		return true
	}
	before := now
	if !o.Created.IsZero() {
		before = o.Created
	}
	return b.domains[o.home()].state.renewal(keyOfSet(o.Set), before.Add(time.Second), o.Service.RenewalExemption())
}

// asks are the CA's own questions to a new order, each with what others have a claim on. A due renewal yields to nobody:
// it is asked what the CA itself would ask.
func (b *book) asks(o *Order, now time.Time) ([]acme.Ask, []*entry) {
	uid := keyOfUID(o.UID)
	renewal := b.renewal(o, now)
	var asks []acme.Ask
	var of []*entry
	for _, t := range o.Service.Limits.NewOrder(o.facts(renewal)) {
		if !t.Check {
			continue
		}
		e := b.entryOf(t.Key, o)
		if e == nil {
			continue
		}
		ask := acme.Ask{Transaction: t}
		ask.Limit = e.limit(t.Key.Limit)
		if o.Due { // the share is what others leave, not what the CA allows
			ask.Limit = e.granted(t.Key.Limit)
		}
		if !ask.Limit.Enabled() {
			continue
		}
		var counts func(flight) bool
		switch t.Key.Limit {
		case acme.CertificatesPerSet:
			key := keyOfSet(o.Set)
			ask.TAT = e.state.sets[key].tat
			counts = func(f flight) bool { return f.home && f.set == key }
		case acme.FailedAuthorizations:
			ask.TAT = e.state.failed[identifierOf(t.Key, o)]
		default:
			ask.TAT = e.state.tat
			counts = func(f flight) bool { return f.domain }
		}
		if counts != nil && !o.Due {
			ask.Held = e.state.held(now, uid, o.key(), counts) + e.kept(ask.Limit)
		}
		asks, of = append(asks, ask), append(of, e)
	}
	return asks, of
}

func (b *book) entryOf(k acme.Key, o *Order) *entry {
	switch k.Limit {
	case acme.CertificatesPerDomain:
		return b.domains[k.Value]
	case acme.CertificatesPerSet:
		return b.domains[o.home()]
	default:
		return b.account
	}
}

func identifierOf(k acme.Key, o *Order) string { return strings.TrimPrefix(k.Value, o.Account+" ") }

// assess says what the CA would answer, and who used the bucket that matters.
func (b *book) assess(o *Order, now time.Time) policy.Budget {
	asks, of := b.asks(o, now)
	out := policy.Budget{Known: true, Allowed: true, CA: o.Service.Directory}
	if len(asks) == 0 {
		return out
	}
	batch := acme.Decide(now, asks)
	out.Allowed = batch.Allowed
	worst := 0
	for i, v := range batch.Verdicts {
		if batch.Allowed && fuller(v, batch.Verdicts[worst]) || !batch.Allowed && v.Key == batch.Strictest.Key {
			worst = i
		}
	}
	v, e := batch.Verdicts[worst], of[worst]
	reserve := int64(0)
	if !o.Due && v.Key.Limit != acme.FailedAuthorizations {
		reserve = e.kept(v.Limit)
	}
	out.Bucket = policy.Bucket{
		Limit: v.Key.Limit, Of: bucketOf(v.Key, o), Used: v.Used, Count: v.Limit.Burst, Period: v.Limit.Period,
		InFlight: v.Held - min(v.Held, reserve), Reserve: reserve, Next: v.RetryAt,
	}
	out.Consumers = e.consumers(v, o)
	out.Churn = b.churn(o, now)
	return out
}

// fuller compares how much of two buckets is spoken for.
func fuller(a, b acme.Verdict) bool {
	return (a.Used+a.Held)*b.Limit.Burst > (b.Used+b.Held)*a.Limit.Burst
}

func bucketOf(k acme.Key, o *Order) string {
	switch k.Limit {
	case acme.CertificatesPerSet:
		return short(o.Names)
	case acme.FailedAuthorizations:
		return identifierOf(k, o)
	default:
		return k.Value
	}
}

// consumers counts the recent orders of a bucket by who ordered. What counts is bounded by the bucket's own state and not
// by the present time, so that a refusal reads the same until something is counted.
func (e *entry) consumers(v acme.Verdict, o *Order) []policy.Consumer {
	since := v.TAT.Add(-v.Limit.BurstOffset())
	set := keyOfSet(o.Set).String()
	orders := map[string]int{}
	for _, r := range e.recent {
		switch {
		case r.Time.Time.Before(since.Add(-time.Second)):
		case v.Key.Limit == acme.CertificatesPerSet && r.Set != set:
		case v.Key.Limit != acme.CertificatesPerSet && r.Renewal:
		default:
			orders[(&Order{Namespace: r.Namespace, Certificate: r.Certificate}).consumer()]++
		}
	}
	return rank(orders)
}

func rank(orders map[string]int) []policy.Consumer {
	out := make([]policy.Consumer, 0, len(orders))
	for _, name := range slices.Sorted(maps.Keys(orders)) {
		out = append(out, policy.Consumer{Name: name, Orders: orders[name]})
	}
	slices.SortStableFunc(out, func(a, b policy.Consumer) int { return cmp.Compare(b.Orders, a.Orders) })
	return out[:min(len(out), 3)]
}

// churn looks at how often the same Certificate was issued lately. One that is renewed in its time appears once.
func (b *book) churn(o *Order, now time.Time) policy.Churn {
	home := b.domains[o.home()]
	limit := home.limit(acme.CertificatesPerSet)
	key := keyOfSet(o.Set)
	tat := home.state.sets[key].tat
	var times []time.Time // newest first
	sameSet := 0
	for _, r := range home.recent {
		if r.Namespace == o.Namespace && r.Certificate == o.Certificate && now.Sub(r.Time.Time) < limit.BurstOffset() {
			times = append(times, r.Time.Time)
			if r.Set == key.String() {
				sameSet++
			}
		}
	}
	if o.Certificate == "" || len(times) < 2 || !limit.Enabled() {
		return policy.Churn{Orders: len(times)}
	}
	if sameSet < len(times)-1 { // the names change: what it uses up is the domain's
		limit, tat = home.limit(acme.CertificatesPerDomain), home.state.tat
	}
	out := policy.Churn{Orders: len(times), Gap: times[0].Sub(times[len(times)-1]) / time.Duration(len(times)-1)}
	left := limit.Burst - limit.Used(now, tat)
	if rate := 1 - out.Gap.Seconds()/limit.EmissionInterval().Seconds(); rate > 0 {
		if in := time.Duration(float64(left) * float64(out.Gap) / rate); in < horizon {
			out.Empties = now.Add(in)
		}
	}
	return out
}

// horizon is how far ahead a rate is believed.
const horizon = 24 * time.Hour
