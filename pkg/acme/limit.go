package acme

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Limit is a rate limit of a CA: a bucket that holds Burst tokens and gets one back every Period/Count. It is a token
// bucket and no window: "5 per 168h" lets 5 through at once from a full bucket, and then one every 33h36m.
//
// The arithmetic is that of Let's Encrypt's server (boulder, ratelimits/gcra.go and limit.go: the generic cell rate
// algorithm): whole nanoseconds, and a division that rounds down, so that a Count which does not divide the Period
// refills a little faster than it says. The zero value limits nothing. A Limit is a value and safe for concurrent use.
type Limit struct {
	// Count is how many tokens come back in one Period, evenly spread.
	Count int64
	// Burst is how many tokens a full bucket holds.
	Burst int64
	// Period is the time in which Count tokens come back.
	Period time.Duration
}

// Never is the RetryIn of a [Result] that no waiting changes.
const Never = time.Duration(math.MaxInt64)

// maxOffset bounds a limit's burst offset, so that no sum of a time, an offset and a cost leaves 64 bits. The longest
// that Let's Encrypt has is three years.
const maxOffset = 50 * 365 * 24 * time.Hour

// Validate says what keeps a limit from being one: a field that is not positive, tokens that come back faster than one
// a nanosecond, or a bucket that takes more than fifty years to fill. A limit that does not validate limits nothing.
func (l Limit) Validate() error {
	switch {
	case l.Count <= 0:
		return fmt.Errorf("count %d is not positive", l.Count)
	case l.Burst <= 0:
		return fmt.Errorf("burst %d is not positive", l.Burst)
	case l.Period <= 0:
		return fmt.Errorf("period %s is not positive", l.Period)
	case int64(l.Period) < l.Count:
		return errors.New("more than one token a nanosecond")
	case l.Burst > int64(maxOffset)/(int64(l.Period)/l.Count):
		return errors.New("the bucket takes more than fifty years to fill")
	}
	return nil
}

// Enabled says whether there is a limit at all: its fields are positive and fit together, see [Limit.Validate].
func (l Limit) Enabled() bool {
	return l.Count > 0 && l.Burst > 0 && l.Period > 0 && int64(l.Period) >= l.Count &&
		l.Burst <= int64(maxOffset)/(int64(l.Period)/l.Count)
}

// EmissionInterval is the time in which one token comes back; 0 if the limit is not enabled.
func (l Limit) EmissionInterval() time.Duration {
	if !l.Enabled() {
		return 0
	}
	return l.Period / time.Duration(l.Count)
}

// BurstOffset is the time in which an empty bucket becomes full; 0 if the limit is not enabled. It is the Period only
// if Burst and Count are equal and divide it.
func (l Limit) BurstOffset() time.Duration {
	return l.EmissionInterval() * time.Duration(l.Burst)
}

// Result is the answer to a [Limit.Spend] or a [Limit.Refund].
type Result struct {
	// Allowed says whether the tokens were there, or, of a refund, whether it changed anything.
	Allowed bool
	// Remaining is how many tokens are left afterwards. It is negative when the TAT lies further ahead than the
	// bucket is deep, which a clock that was set back can do.
	Remaining int64
	// RetryIn is how long the same request must wait: from now if it was denied, before its repetition if it was
	// allowed. [Never] if no waiting helps.
	RetryIn time.Duration
	// ResetIn is the time until the bucket is full, if nothing more is spent.
	ResetIn time.Duration
	// TAT is the bucket's new theoretical arrival time, in UTC. It is to be stored only if the result is allowed.
	TAT time.Time
}

// Spend answers whether cost tokens can be spent now, and what the bucket's TAT is afterwards. The TAT (theoretical
// arrival time) is all the state that a bucket has: the time at which it is full again. The zero time is a full bucket.
// Times are absolute and count to the nanosecond; those before 1970 and after 2116 count as these.
//
// A cost outside 0..Burst is denied. A cost of 0 asks what is there. A limit that is not enabled allows everything and
// leaves the TAT alone. Source: boulder's maybeSpend.
func (l Limit) Spend(now, tat time.Time, cost int64) Result {
	return l.spend(now, tat, cost, 0)
}

// spend is Spend with tokens that others have a claim on: they count as if they had been spent before, but are not.
func (l Limit) spend(now, tat time.Time, cost, held int64) Result {
	if !l.Enabled() {
		return Result{Allowed: true, Remaining: math.MaxInt64, TAT: tat}
	}
	interval, offset := int64(l.EmissionInterval()), int64(l.BurstOffset())
	held = min(max(held, 0), 2*int64(maxOffset)/interval) // more than that, over twice the burst, could overflow
	at := nanoseconds(now)
	full := max(at, nanoseconds(tat)) // a TAT in the past is a full bucket: nothing is saved up beyond it
	free := at - (full + interval*held - offset)
	if cost < 0 || cost > l.Burst {
		return Result{Remaining: free / interval, RetryIn: Never, ResetIn: time.Duration(full - at), TAT: fromNanoseconds(full)}
	}
	price := interval * cost
	left := free - price
	if left < 0 {
		denied := Result{
			Remaining: free / interval,
			RetryIn:   time.Duration(-left),
			ResetIn:   time.Duration(full - at),
			TAT:       fromNanoseconds(full),
		}
		if cost+held > l.Burst {
			denied.RetryIn = Never
		}
		return denied
	}
	return Result{
		Allowed:   true,
		Remaining: left / interval,
		RetryIn:   time.Duration(max(price-left, 0)),
		ResetIn:   time.Duration(full + price - at),
		TAT:       fromNanoseconds(full + price),
	}
}

// Refund gives back cost tokens that were spent, as far as the bucket has room. It is allowed, and its TAT to be
// stored, if it changed anything. A cost outside 0..Burst changes nothing. Source: boulder's maybeRefund.
func (l Limit) Refund(now, tat time.Time, cost int64) Result {
	if !l.Enabled() {
		return Result{Remaining: math.MaxInt64, TAT: tat}
	}
	interval, offset := int64(l.EmissionInterval()), int64(l.BurstOffset())
	at, full := nanoseconds(now), nanoseconds(tat)
	if at > full {
		return Result{Remaining: l.Burst, TAT: tat}
	}
	if cost < 0 || cost > l.Burst {
		cost = 0
	}
	refunded := max(full-interval*cost, at)
	return Result{
		Allowed:   refunded != full,
		Remaining: (at - (refunded - offset)) / interval,
		ResetIn:   time.Duration(refunded - at),
		TAT:       fromNanoseconds(refunded),
	}
}

// Calibrate returns the TAT that a CA's "retry after" proves: at that time one token is there, so the bucket is full
// when all others have come back too. The CA knows what other clusters and accounts spent, so the later of its TAT and
// ours is right. Let's Encrypt adds up to 3 % to the wait it tells (boulder, ratelimits/limiter.go, Result): the
// outcome is never too early, and late by no more than that. A retryAfter of zero leaves the TAT alone.
func (l Limit) Calibrate(tat, retryAfter time.Time) time.Time {
	if !l.Enabled() || retryAfter.IsZero() {
		return tat
	}
	proven := nanoseconds(retryAfter) - int64(l.EmissionInterval()) + int64(l.BurstOffset())
	if proven <= nanoseconds(tat) {
		return tat
	}
	return fromNanoseconds(proven)
}

// Used is how many tokens are not there now, from 0 to Burst. One that is partly back is not there.
func (l Limit) Used(now, tat time.Time) int64 {
	if !l.Enabled() {
		return 0
	}
	return min(l.Burst-l.Spend(now, tat, 0).Remaining, l.Burst)
}

// NextSlot is the earliest time at which that many tokens are there. It depends on the TAT alone, so it stays the same
// while nothing is spent; a time in the past, or the zero time, means that they are there already. More than Burst
// tokens are never there: asked for those it answers for Burst.
func (l Limit) NextSlot(tat time.Time, tokens int64) time.Time {
	if !l.Enabled() || tat.IsZero() {
		return time.Time{}
	}
	tokens = min(max(tokens, 0), l.Burst)
	return fromNanoseconds(nanoseconds(tat) + int64(l.EmissionInterval())*tokens - int64(l.BurstOffset()))
}

// FullAt is the time at which the bucket is full, if nothing more is spent: the TAT.
func (l Limit) FullAt(tat time.Time) time.Time {
	return tat
}

// latest is the last time that counts, in nanoseconds since 1970: together with maxOffset it keeps sums in 64 bits.
const latest = math.MaxInt64 / 2

func nanoseconds(t time.Time) int64 {
	switch s := t.Unix(); {
	case s < 0:
		return 0
	case s >= latest/int64(time.Second):
		return latest
	}
	return t.UnixNano()
}

func fromNanoseconds(n int64) time.Time {
	return time.Unix(0, n).UTC()
}
