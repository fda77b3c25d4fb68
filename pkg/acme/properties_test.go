package acme

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// forAll calls a property with many random buckets. The seed is fixed, and a failure tells the round.
func forAll(t *testing.T, property func(b bucket)) {
	t.Helper()
	const seed = 20260805
	rng := rand.New(rand.NewPCG(seed, 0))
	for round := range 50_000 {
		b := randomBucket(rng)
		property(b)
		if t.Failed() {
			t.Fatalf("round %d of seed %d: %+v", round, seed, b)
		}
	}
}

// bucket is a limit with a state, a time and something to ask.
type bucket struct {
	limit      Limit
	now, tat   time.Time
	cost, held int64
}

func randomBucket(rng *rand.Rand) bucket {
	b := bucket{
		limit: Limit{Count: 1 + rng.Int64N(50), Burst: 1 + rng.Int64N(50)},
		now:   noon.Add(time.Duration(rng.Int64N(int64(week)))),
	}
	b.limit.Period = time.Duration(b.limit.Count + rng.Int64N(int64(1)<<(1+rng.IntN(50))))
	interval := int64(b.limit.EmissionInterval())
	switch rng.IntN(4) {
	case 0:
	case 1:
		b.tat = b.now.Add(-time.Duration(rng.Int64N(interval * b.limit.Burst)))
	case 2:
		b.tat = b.now.Add(time.Duration(interval * rng.Int64N(b.limit.Burst+1))) // where tokens come back
	default:
		b.tat = b.now.Add(time.Duration(rng.Int64N(interval*b.limit.Burst + 1)))
	}
	b.cost, b.held = rng.Int64N(b.limit.Burst+1), rng.Int64N(4)
	return b
}

func (b bucket) ask(check, spend bool) Ask {
	return Ask{Transaction: Transaction{
		Key: Key{Limit: CertificatesPerSet, Value: "x"}, Limit: b.limit, Cost: b.cost, Check: check, Spend: spend,
	}, TAT: b.tat}
}

func TestASpendNeverGoesBeyondTheBurstOffset(t *testing.T) {
	t.Parallel()
	forAll(t, func(b bucket) {
		r := b.limit.Spend(b.now, b.tat, b.cost)
		if r.Allowed && r.TAT.After(b.now.Add(b.limit.BurstOffset())) {
			t.Errorf("TAT %v is more than %v ahead", r.TAT, b.limit.BurstOffset())
		}
		if r.Allowed && r.Remaining < 0 {
			t.Errorf("%d remain", r.Remaining)
		}
	})
}

func TestACheckChangesNothing(t *testing.T) {
	t.Parallel()
	forAll(t, func(b bucket) {
		if batch := Decide(b.now, []Ask{b.ask(true, false)}); len(batch.TATs) != 0 {
			t.Errorf("a check stores %v", batch.TATs)
		}
	})
}

func TestSpendingAloneNeverDenies(t *testing.T) {
	t.Parallel()
	forAll(t, func(b bucket) {
		ask := b.ask(false, true)
		ask.Held = b.held
		batch := Decide(b.now, []Ask{ask})
		if !batch.Allowed || len(batch.Verdicts) != 0 {
			t.Errorf("it says %+v", batch)
		}
		for _, tat := range batch.TATs {
			if tat.After(b.now.Add(b.limit.BurstOffset())) {
				t.Errorf("it goes below the floor, to %v", tat)
			}
		}
	})
}

func TestARefundRestoresWhatWasSpent(t *testing.T) {
	t.Parallel()
	forAll(t, func(b bucket) {
		spent := b.limit.Spend(b.now, b.tat, b.cost)
		if !spent.Allowed {
			return
		}
		back := b.limit.Refund(b.now, spent.TAT, b.cost)
		before := b.limit.Spend(b.now, b.tat, 0)
		if back.Remaining != before.Remaining || back.ResetIn != before.ResetIn {
			t.Errorf("%d remain after the refund, %d before the spend", back.Remaining, before.Remaining)
		}
	})
}

func TestNothingIsSpentWhenOneBucketDenies(t *testing.T) {
	t.Parallel()
	empty := Ask{Transaction: Transaction{
		Key: Key{Limit: NewOrdersPerAccount, Value: "y"}, Limit: fivePerWeek, Cost: 1, Check: true,
	}}
	forAll(t, func(b bucket) {
		full := empty
		full.TAT = b.now.Add(fivePerWeek.BurstOffset())
		batch := Decide(b.now, []Ask{b.ask(true, true), full, b.ask(false, true)})
		if batch.Allowed || batch.TATs != nil || batch.Strictest.Allowed {
			t.Errorf("the batch says %+v", batch)
		}
	})
}

func TestAClockThatJumpsBackFreesNoToken(t *testing.T) {
	t.Parallel()
	forAll(t, func(b bucket) {
		if b.tat.IsZero() || !b.tat.After(b.now) {
			return
		}
		earlier := b.now.Add(-time.Duration(b.cost+1) * b.limit.EmissionInterval() / 2)
		now, then := b.limit.Spend(b.now, b.tat, 0), b.limit.Spend(earlier, b.tat, 0)
		if then.Remaining > now.Remaining {
			t.Errorf("%d remain at %v, and %d before it at %v", now.Remaining, b.now, then.Remaining, earlier)
		}
	})
}

func TestHeldTokensCountAsSpentOnes(t *testing.T) {
	t.Parallel()
	forAll(t, func(b bucket) {
		plain, zero := b.ask(true, true), b.ask(true, true)
		zero.Held = 0
		if !reflect.DeepEqual(Decide(b.now, []Ask{plain}), Decide(b.now, []Ask{zero})) {
			t.Error("with none held it differs")
		}
		held := b.ask(true, false)
		held.Held = b.held
		v := Decide(b.now, []Ask{held}).Strictest
		start := b.now
		if b.tat.After(b.now) {
			start = b.tat
		}
		spent := b.limit.Spend(b.now, start.Add(time.Duration(b.held)*b.limit.EmissionInterval()), b.cost)
		if v.Allowed != spent.Allowed || v.Remaining != spent.Remaining {
			t.Errorf("held: %+v; spent: %+v", v, spent)
		}
		if free := b.limit.Spend(b.now, b.tat, b.cost); v.Allowed && !free.Allowed {
			t.Error("held tokens allow what is denied without them")
		}
	})
}

func TestRetryAtIsTheFirstNanosecondThatIsAllowed(t *testing.T) {
	t.Parallel()
	forAll(t, func(b bucket) {
		ask := b.ask(true, true)
		ask.Held = b.held
		v := Decide(b.now, []Ask{ask}).Strictest
		switch {
		case v.Allowed:
		case v.RetryAt.IsZero():
			if b.cost+b.held <= b.limit.Burst {
				t.Error("waiting helps, but no time is told")
			}
			if Decide(b.now.Add(1000*day), []Ask{ask}).Allowed {
				t.Error("waiting helps after all")
			}
		case !Decide(v.RetryAt, []Ask{ask}).Allowed:
			t.Errorf("it is denied at %v still", v.RetryAt)
		case Decide(v.RetryAt.Add(-1), []Ask{ask}).Allowed:
			t.Errorf("it is allowed before %v already", v.RetryAt)
		}
	})
}

func TestADenialIsTheSameWheneverItIsAsked(t *testing.T) {
	t.Parallel()
	forAll(t, func(b bucket) {
		ask := b.ask(true, true)
		ask.Held = b.held
		v := Decide(b.now, []Ask{ask}).Strictest
		if v.Allowed || v.RetryAt.IsZero() {
			return
		}
		between := b.now.Add(v.RetryAt.Sub(b.now) / 2)
		if again := Decide(between, []Ask{ask}).Strictest; again.Allowed || !again.RetryAt.Equal(v.RetryAt) {
			t.Errorf("RetryAt is %v at %v, and %v at %v", v.RetryAt, b.now, again.RetryAt, between)
		}
	})
}

func TestNextSlotIsWhenTheTokensAreThere(t *testing.T) {
	t.Parallel()
	forAll(t, func(b bucket) {
		slot := b.limit.NextSlot(b.tat, b.cost)
		if b.tat.IsZero() || b.cost == 0 {
			return
		}
		if !b.limit.Spend(slot, b.tat, b.cost).Allowed {
			t.Errorf("%d tokens are not there at %v", b.cost, slot)
		}
		if slot.Add(-1).Before(b.tat) && b.limit.Spend(slot.Add(-1), b.tat, b.cost).Allowed {
			t.Errorf("%d tokens are there before %v", b.cost, slot)
		}
	})
}

func TestTimesAndTokensBeyondReasonDoNotOverflow(t *testing.T) {
	t.Parallel()
	times := []time.Time{
		{}, time.Unix(-1, 0), time.Unix(0, 0), noon, fromNanoseconds(latest), time.Date(2262, 5, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), time.Unix(1<<62, 0),
	}
	amounts := []int64{-1 << 63, -1, 0, 1, 5, 1152, 1<<63 - 1}
	for _, limit := range []Limit{{}, {1, 1, 1}, fivePerWeek, {1, 1, maxOffset}, {1, 1152, day}, {1 << 40, 1 << 40, 1 << 40}} {
		for _, now := range times {
			for _, tat := range times {
				for _, amount := range amounts {
					for _, held := range amounts {
						r := limit.spend(now, tat, amount, held)
						if r.RetryIn < 0 || r.ResetIn < 0 || (r.Allowed && r.Remaining < 0) {
							t.Errorf("%+v.spend(%v, %v, %d, %d) = %+v", limit, now, tat, amount, held, r)
						}
					}
					if r := limit.Refund(now, tat, amount); r.ResetIn < 0 {
						t.Errorf("%+v.Refund(%v, %v, %d) = %+v", limit, now, tat, amount, r)
					}
					limit.NextSlot(tat, amount)
				}
				if got := limit.Calibrate(tat, now); nanoseconds(got) < nanoseconds(tat) {
					t.Errorf("%+v.Calibrate(%v, %v) = %v, which is earlier", limit, tat, now, got)
				}
			}
		}
	}
}
