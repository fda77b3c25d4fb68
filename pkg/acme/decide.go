package acme

import (
	"math"
	"time"
)

// Ask is a transaction together with the state of its bucket.
type Ask struct {
	Transaction
	// TAT is the bucket's theoretical arrival time, see [Limit.Spend]. The zero time is a full bucket.
	TAT time.Time
	// Held are tokens that are still there, but that others have a claim on: orders on their way, a reserve. They
	// count as gone for a check, and are not spent.
	Held int64
}

// Verdict is the answer for one bucket.
type Verdict struct {
	Allowed bool
	Key     Key
	Limit   Limit
	// Used is how many tokens are not there, see [Limit.Used]. Held is as it was asked.
	Used, Held int64
	// Remaining is how many tokens are left: after the cost if allowed, without it if denied. Held ones do not count.
	Remaining int64
	// RetryAt is when the same request is allowed again, in UTC. Of a denial it is the first nanosecond at which it
	// is, and depends on the bucket alone: asked a second later, it is the same. It is the zero time if no waiting
	// helps, since the cost and the held tokens are more than the bucket can hold: then only the end of a claim does.
	RetryAt time.Time
	// TAT is the bucket's, as it was asked.
	TAT time.Time
}

// Batch is the answer to all that one event asks.
type Batch struct {
	// Allowed says that no check was denied.
	Allowed bool
	// Strictest is the verdict that binds. It is the zero Verdict if nothing was checked.
	Strictest Verdict
	// Verdicts has one verdict for each checked ask, in the order of the asks.
	Verdicts []Verdict
	// TATs are the new states of the buckets that changed; nil if the batch was denied.
	TATs map[Key]time.Time
}

// Decide evaluates all asks at one time. Tokens are spent only if every check is allowed; an ask that only spends never
// denies, and takes nothing from a bucket that has too little. The strictest verdict is a denial before an allowance,
// then the longest wait, then the fewest tokens left, then the last asked. An ask for a bucket that an earlier ask of
// the batch spends from sees what that leaves.
//
// Without Held the verdicts are those of Let's Encrypt's server (boulder, ratelimits/limiter.go, BatchSpend), where one
// bucket in a batch is an error.
func Decide(now time.Time, asks []Ask) Batch {
	batch := Batch{Allowed: true, Verdicts: make([]Verdict, 0, len(asks))}
	var tats map[Key]time.Time
	strictest := Result{Allowed: true, Remaining: math.MaxInt64}
	for _, ask := range asks {
		if earlier, ok := tats[ask.Key]; ok {
			ask.TAT = earlier
		}
		if !ask.Check {
			ask.Held = 0
		}
		result := ask.Limit.spend(now, ask.TAT, ask.Cost, ask.Held)
		if ask.Spend && result.Allowed && !result.TAT.Equal(ask.TAT) {
			if tats == nil {
				tats = make(map[Key]time.Time, len(asks))
			}
			tats[ask.Key] = result.TAT
		}
		if !ask.Check {
			continue
		}
		verdict := ask.verdict(now, result)
		batch.Verdicts = append(batch.Verdicts, verdict)
		if len(batch.Verdicts) == 1 || !stricter(strictest, result) {
			strictest, batch.Strictest = result, verdict
		}
		batch.Allowed = batch.Allowed && result.Allowed
	}
	if batch.Allowed {
		batch.TATs = tats
	}
	return batch
}

func (a Ask) verdict(now time.Time, r Result) Verdict {
	v := Verdict{
		Allowed: r.Allowed, Key: a.Key, Limit: a.Limit,
		Used: a.Limit.Used(now, a.TAT), Held: a.Held, Remaining: r.Remaining, TAT: a.TAT,
	}
	if r.RetryIn != Never {
		v.RetryAt = fromNanoseconds(nanoseconds(now) + int64(r.RetryIn))
	}
	return v
}

// stricter says whether a binds more than b; of equals the later one does.
func stricter(a, b Result) bool {
	switch {
	case a.Allowed != b.Allowed:
		return !a.Allowed
	case a.RetryIn != b.RetryIn:
		return a.RetryIn > b.RetryIn
	}
	return a.Remaining < b.Remaining
}
