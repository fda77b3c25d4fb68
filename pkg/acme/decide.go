package acme

import "time"

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
	// Used is how many tokens are not there, see [Limit.Used]. Held is as it was asked, and 0 if that is negative.
	Used, Held int64
	// Remaining is how many tokens are left: after the cost if allowed, without it if denied. Held ones do not count.
	Remaining int64
	// RetryAt is when the same request is allowed again, in UTC. Of a denial it is the first nanosecond at which it
	// is, and depends on the bucket alone: asked a second later, it is the same. It is the zero time if no waiting
	// helps, since the cost and the held tokens are more than the bucket can hold: then only the end of a claim does.
	RetryAt time.Time
	// TAT is the bucket's before this ask.
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
	var strictest Result
	binding := -1
	for i := range asks {
		ask, tat, held := &asks[i], asks[i].TAT, max(asks[i].Held, 0)
		if earlier, ok := tats[ask.Key]; ok {
			tat = earlier
		}
		if !ask.Check {
			held = 0
		}
		result := ask.Limit.spend(now, tat, ask.Cost, held)
		if ask.Spend && result.Allowed && !result.TAT.Equal(tat) {
			if tats == nil {
				tats = map[Key]time.Time{}
			}
			tats[ask.Key] = result.TAT
		}
		if !ask.Check {
			continue
		}
		if binding < 0 || !stricter(strictest, result) {
			strictest, binding = result, len(batch.Verdicts)
		}
		batch.Allowed = batch.Allowed && result.Allowed
		batch.Verdicts = append(batch.Verdicts, Verdict{
			Allowed: result.Allowed, Key: ask.Key, Limit: ask.Limit,
			Used: ask.Limit.Used(now, tat), Held: held, Remaining: result.Remaining,
			RetryAt: retryAt(now, result.RetryIn), TAT: tat,
		})
	}
	if binding >= 0 {
		batch.Strictest = batch.Verdicts[binding]
	}
	if batch.Allowed {
		batch.TATs = tats
	}
	return batch
}

func retryAt(now time.Time, wait time.Duration) time.Time {
	if wait == Never {
		return time.Time{}
	}
	return fromNanoseconds(nanoseconds(now) + int64(wait))
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
