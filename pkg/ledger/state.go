package ledger

import (
	"maps"
	"time"

	"github.com/certwire/certwire/pkg/acme"
)

// state is what one budget counts by. The zero state has full buckets and remembers nothing. TAT is GCRA's theoretical
// arrival time: the zero time, or one in the past, is a full bucket.
type state struct {
	// tat is the bucket of the registered domain or, in an account's budget, of new orders.
	tat time.Time
	// sets are the sets of names that were issued.
	sets map[setKey]set
	// counted are the orders (and failed challenges) that have been counted, with the time they count from. They are
	// forgotten once that is too long ago to matter.
	counted map[uidKey]time.Time
	// inFlight are the orders that were let through and are not finished.
	inFlight map[uidKey]flight
	// failed are the buckets of failed authorizations by identifier, in an account's budget.
	failed map[string]time.Time
}

// setKey is the beginning of a CA's key for a set of names: with 96 bits, two of a domain's sets are never mistaken.
type setKey [12]byte

// uidKey stands for an Order's UID.
type uidKey [8]byte

// set is one set of names.
type set struct {
	// tat is the set's own bucket, in the budget of the set's first domain alone.
	tat time.Time
	// issued is when it was issued last, to the second.
	issued time.Time
}

// flight is one order that was let through.
type flight struct {
	set setKey
	// since is when it was let through, to the second.
	since time.Time
	// domain is true when it will count against the domain or the account: it is not a renewal.
	domain bool
	// home is true when it will count against its set here.
	home bool
}

func newState() *state {
	return &state{
		sets: map[setKey]set{}, counted: map[uidKey]time.Time{}, inFlight: map[uidKey]flight{}, failed: map[string]time.Time{},
	}
}

func (s *state) clone() *state {
	return &state{
		tat: s.tat, sets: maps.Clone(s.sets), counted: maps.Clone(s.counted),
		inFlight: maps.Clone(s.inFlight), failed: maps.Clone(s.failed),
	}
}

// waitsAtMost is how long an order in flight holds its place. The CA counts nothing before it issues, and a challenge
// that nobody can answer must not keep others waiting: a quarter of an hour is enough for any that somebody does.
const waitsAtMost = 15 * time.Minute

// held counts the orders in flight, other than one, that will need the same token.
func (s *state) held(now time.Time, but uidKey, counts func(flight) bool) int64 {
	var n int64
	for uid, f := range s.inFlight {
		if uid != but && counts(f) && now.Sub(f.since) < waitsAtMost {
			n++
		}
	}
	return n
}

// renewal reports whether the set was issued before a moment and within the time in which the CA calls it a renewal.
func (s *state) renewal(key setKey, before time.Time, within time.Duration) bool {
	issued := s.sets[key].issued
	return within > 0 && !issued.IsZero() && issued.Before(before) && issued.After(before.Add(-within))
}

// empty is true when nothing is left to remember at a moment. Orders that were counted are remembered even while every
// bucket is full: they may still exist, and would be counted again.
func (s *state) empty(now time.Time) bool {
	return !s.tat.After(now) && len(s.sets) == 0 && len(s.counted) == 0 && len(s.inFlight) == 0 && len(s.failed) == 0
}

// prune forgets what no longer matters: orders counted so long ago that every bucket has refilled since, sets that are
// full and past the renewal exemption. A clock that is a little off forgets nothing too early.
func (s *state) prune(now time.Time, limits acme.Limits, exemption time.Duration) {
	now = now.Add(-clockSlack)
	keep := memory(limits)
	maps.DeleteFunc(s.counted, func(_ uidKey, t time.Time) bool { return now.Sub(t) > keep })
	maps.DeleteFunc(s.failed, func(_ string, tat time.Time) bool { return !tat.After(now) })
	maps.DeleteFunc(s.sets, func(_ setKey, x set) bool { return !x.tat.After(now) && now.Sub(x.issued) > exemption })
	if !s.tat.After(now) {
		s.tat = time.Time{}
	}
}

// clockSlack is how far two replicas' clocks may be apart.
const clockSlack = 10 * time.Minute

// memory is how long an order is known as counted: as long as it can still matter to a bucket.
func memory(l acme.Limits) time.Duration {
	longest := time.Hour
	for _, limit := range []acme.Limit{l.NewOrders, l.FailedAuthorizations, l.CertificatesPerDomain, l.CertificatesPerSet} {
		longest = max(longest, limit.BurstOffset())
	}
	return longest
}
