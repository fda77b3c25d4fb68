package ledger

import (
	"maps"
	"slices"
	"time"
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

// uidKey stands for an Order's UID, or for its name.
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
	// name stands for the Order's namespace and name; zero when they are not known.
	name uidKey
	// since is when it was let through, to the second.
	since time.Time
	// domain is true when it will count against the domain or the account: it is not a renewal.
	domain bool
	// home is true when it will count against its set here.
	home bool
}

// named is true for a place that was taken under a name. An Order is created only while there is none of its name, so a
// place that an earlier one of that name took is left over: a replica died between taking it and answering, or the API
// server gave the order up.
func (f flight) named(name uidKey) bool { return f.name == name && name != uidKey{} }

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

// held counts the orders in flight, other than one and what it is tried again for, that will need the same token.
func (s *state) held(now time.Time, but, name uidKey, counts func(flight) bool) int64 {
	var n int64
	for uid, f := range s.inFlight {
		if uid != but && !f.named(name) && counts(f) && now.Sub(f.since) < waitsAtMost {
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

// prune forgets what no longer matters: orders counted so long ago (memory) that every bucket has refilled since, orders in
// flight that hold no place any more, sets that are full and past the renewal exemption. A clock that is a little off
// forgets nothing too early.
func (s *state) prune(now time.Time, memory, exemption time.Duration) {
	now = now.Add(-clockSlack)
	maps.DeleteFunc(s.counted, func(_ uidKey, t time.Time) bool { return now.Sub(t) > memory })
	maps.DeleteFunc(s.failed, func(_ string, tat time.Time) bool { return !tat.After(now) })
	maps.DeleteFunc(s.sets, func(_ setKey, x set) bool { return !x.tat.After(now) && now.Sub(x.issued) > exemption })
	if !s.tat.After(now) {
		s.tat = time.Time{}
	}
}

// The most that is remembered of each kind. Together they fit into an object: 24 bytes for a set, 12 for a counted order,
// 33 for one in flight, and half of what is then left for names that failed.
const (
	maxSets     = 20_000
	maxCounted  = 12_000
	maxInFlight = 6_000
	maxFailed   = 500
)

// bound forgets what matters least when there is too much: what is oldest, or nearest to full.
func (s *state) bound() {
	trim(s.sets, maxSets, func(x set) time.Time {
		if x.tat.After(x.issued) {
			return x.tat
		}
		return x.issued
	})
	trim(s.counted, maxCounted, func(t time.Time) time.Time { return t })
	trim(s.inFlight, maxInFlight, func(f flight) time.Time { return f.since })
	trim(s.failed, maxFailed, func(tat time.Time) time.Time { return tat })
}

// trim removes the earliest members of a map until at most so many are left.
func trim[K comparable, V any](m map[K]V, most int, at func(V) time.Time) {
	if len(m) <= most {
		return
	}
	times := make([]time.Time, 0, len(m))
	for _, v := range m {
		times = append(times, at(v))
	}
	slices.SortFunc(times, time.Time.Compare)
	from := times[len(times)-most]
	maps.DeleteFunc(m, func(_ K, v V) bool { return at(v).Before(from) })
	for k := range m { // what is left of those at the same moment
		if len(m) <= most {
			return
		}
		if at(m[k]).Equal(from) {
			delete(m, k)
		}
	}
}

// clockSlack is how far two replicas' clocks may be apart.
const clockSlack = 10 * time.Minute
