package acme

import (
	"math"
	"testing"
	"time"
)

var (
	fivePerWeek = Limit{Count: 5, Burst: 5, Period: week}
	noon        = time.Date(2026, time.August, 5, 12, 0, 0, 0, time.UTC)
)

// spendAll spends one token at a time, each at the earliest moment, and returns how many went through before the end.
func spendAll(l Limit, from, end time.Time) int {
	n, now, tat := 0, from, time.Time{}
	for !now.After(end) {
		r := l.Spend(now, tat, 1)
		if !r.Allowed {
			now = now.Add(r.RetryIn)
			continue
		}
		n, tat = n+1, r.TAT
	}
	return n
}

func TestALimitIsABucketAndNoWindow(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		limit Limit
		after time.Duration
		want  int
	}{
		"a full bucket lets its burst through at once":                  {fivePerWeek, 0, 5},
		"nothing more comes until the interval is over":                 {fivePerWeek, 33*time.Hour + 36*time.Minute - 1, 5},
		"the sixth comes after exactly one interval":                    {fivePerWeek, 33*time.Hour + 36*time.Minute, 6},
		"nine fit in less than a week, not five":                        {fivePerWeek, week - 1, 9},
		"and the tenth at its very end":                                 {fivePerWeek, week, 10},
		"of fifty a week, 99 fit in less than a week":                   {Limit{50, 50, week}, week - 1, 99},
		"and the hundredth at its very end":                             {Limit{50, 50, week}, week, 100},
		"a burst above the count lets more through at once":             {Limit{Count: 1, Burst: 7, Period: time.Hour}, 0, 7},
		"and refills as slowly as the count says":                       {Limit{Count: 1, Burst: 7, Period: time.Hour}, time.Hour - 1, 7},
		"a count that does not divide its period refills rounded down":  {Limit{3, 1, 10}, 3, 2},
		"so that it gets through more than its count in a whole period": {Limit{3, 1, 10}, 9, 4},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := spendAll(c.limit, noon, noon.Add(c.after)); got != c.want {
				t.Errorf("%d tokens were spent, want %d", got, c.want)
			}
		})
	}
}

func TestSpend(t *testing.T) {
	t.Parallel()
	e := fivePerWeek.EmissionInterval()
	for sentence, c := range map[string]struct {
		limit Limit
		tat   time.Time
		cost  int64
		want  Result
	}{
		"a bucket that nobody spent from is full":      {fivePerWeek, time.Time{}, 1, Result{true, 4, 0, e, noon.Add(e)}},
		"a TAT in the past is a full bucket, no more":  {fivePerWeek, noon.Add(-week), 1, Result{true, 4, 0, e, noon.Add(e)}},
		"a cost of nothing asks what is there":         {fivePerWeek, noon.Add(2 * e), 0, Result{true, 3, 0, 2 * e, noon.Add(2 * e)}},
		"the last token can be spent":                  {fivePerWeek, noon.Add(4 * e), 1, Result{true, 0, e, 5 * e, noon.Add(5 * e)}},
		"a token that lacks a nanosecond is not there": {fivePerWeek, noon.Add(4*e + 1), 1, Result{false, 0, 1, 4*e + 1, noon.Add(4*e + 1)}},
		"what was denied changes nothing":              {fivePerWeek, noon.Add(3 * e), 3, Result{false, 2, e, 3 * e, noon.Add(3 * e)}},
		"more than the burst is never there":           {fivePerWeek, noon.Add(3 * e), 6, Result{false, 2, Never, 3 * e, noon.Add(3 * e)}},
		"a negative cost is denied too":                {fivePerWeek, noon.Add(3 * e), -1, Result{false, 2, Never, 3 * e, noon.Add(3 * e)}},
		"no limit allows all":                          {Limit{}, noon.Add(week), 7, Result{Allowed: true, Remaining: math.MaxInt64, TAT: noon.Add(week)}},
		"a clock that was set back shows a debt":       {fivePerWeek, noon.Add(7 * e), 1, Result{false, -2, 3 * e, 7 * e, noon.Add(7 * e)}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := c.limit.Spend(noon, c.tat, c.cost); got != c.want {
				t.Errorf("Spend(%v, %d) = %+v, want %+v", c.tat, c.cost, got, c.want)
			}
		})
	}
}

func TestRefund(t *testing.T) {
	t.Parallel()
	e := fivePerWeek.EmissionInterval()
	for sentence, c := range map[string]struct {
		limit Limit
		tat   time.Time
		cost  int64
		want  Result
	}{
		"a full bucket takes nothing back":              {fivePerWeek, noon.Add(-1), 1, Result{Remaining: 5, TAT: noon.Add(-1)}},
		"nor does one that nobody spent from":           {fivePerWeek, time.Time{}, 1, Result{Remaining: 5}},
		"what was spent comes back":                     {fivePerWeek, noon.Add(2 * e), 1, Result{true, 4, 0, e, noon.Add(e)}},
		"no more than the bucket has room for":          {fivePerWeek, noon.Add(e), 3, Result{true, 5, 0, 0, noon}},
		"a refund of nothing changes nothing":           {fivePerWeek, noon.Add(e), 0, Result{false, 4, 0, e, noon.Add(e)}},
		"nor does one of more than was ever there":      {fivePerWeek, noon.Add(e), 6, Result{false, 4, 0, e, noon.Add(e)}},
		"no limit has nothing to give back and says so": {Limit{}, noon.Add(e), 1, Result{Remaining: math.MaxInt64, TAT: noon.Add(e)}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := c.limit.Refund(noon, c.tat, c.cost); got != c.want {
				t.Errorf("Refund(%v, %d) = %+v, want %+v", c.tat, c.cost, got, c.want)
			}
		})
	}
}

func TestCalibrate(t *testing.T) {
	t.Parallel()
	e := fivePerWeek.EmissionInterval()
	for sentence, c := range map[string]struct {
		limit           Limit
		tat, retryAfter time.Time
		want            time.Time
	}{
		"an empty ledger learns that one token comes then":       {fivePerWeek, time.Time{}, noon, noon.Add(4 * e)},
		"what the ledger knows to be worse stays":                {fivePerWeek, noon.Add(5 * e), noon, noon.Add(5 * e)},
		"what the CA knows to be worse is taken over":            {fivePerWeek, noon.Add(3 * e), noon, noon.Add(4 * e)},
		"a refusal that names no time says nothing":              {fivePerWeek, noon.Add(e), time.Time{}, noon.Add(e)},
		"no limit has no state":                                  {Limit{}, noon.Add(e), noon.Add(week), noon.Add(e)},
		"a time beyond all reason is the latest that can be had": {fivePerWeek, noon, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), fromNanoseconds(latest).Add(4 * e)},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := c.limit.Calibrate(c.tat, c.retryAfter); !got.Equal(c.want) {
				t.Errorf("Calibrate(%v, %v) = %v, want %v", c.tat, c.retryAfter, got, c.want)
			}
		})
	}
	if got := fivePerWeek.NextSlot(fivePerWeek.Calibrate(time.Time{}, noon), 1); !got.Equal(noon) {
		t.Errorf("a calibrated bucket has its next token at %v, want %v", got, noon)
	}
}

func TestWhatABucketShows(t *testing.T) {
	t.Parallel()
	e := fivePerWeek.EmissionInterval()
	for sentence, c := range map[string]struct {
		limit Limit
		tat   time.Time
		used  int64
		slot  time.Time
	}{
		"a full bucket has a token since ever":                    {fivePerWeek, time.Time{}, 0, time.Time{}},
		"with one spent, the next was there long ago":             {fivePerWeek, noon.Add(e), 1, noon.Add(-3 * e)},
		"a token that is partly back is not there":                {fivePerWeek, noon.Add(5*e - 1), 5, noon.Add(e - 1)},
		"an empty bucket has its next token after an interval":    {fivePerWeek, noon.Add(5 * e), 5, noon.Add(e)},
		"a debt shows as an empty bucket with a longer wait":      {fivePerWeek, noon.Add(9 * e), 5, noon.Add(5 * e)},
		"where there is no limit nothing is used or waited for":   {Limit{}, noon.Add(e), 0, time.Time{}},
		"a bucket that is full again has had its token for long":  {fivePerWeek, noon, 0, noon.Add(-4 * e)},
		"one just spent and just back is there at its nanosecond": {Limit{1, 1, time.Hour}, noon, 0, noon},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := c.limit.Used(noon, c.tat); got != c.used {
				t.Errorf("Used(%v) = %d, want %d", c.tat, got, c.used)
			}
			if got := c.limit.NextSlot(c.tat, 1); !got.Equal(c.slot) {
				t.Errorf("NextSlot(%v) = %v, want %v", c.tat, got, c.slot)
			}
			if got := c.limit.FullAt(c.tat); !got.Equal(c.tat) {
				t.Errorf("FullAt(%v) = %v", c.tat, got)
			}
		})
	}
	if got := fivePerWeek.NextSlot(noon, 9); !got.Equal(noon) {
		t.Errorf("more tokens than there can be are there at %v, want when it is full", got)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		limit Limit
		ok    bool
	}{
		"the zero value is no limit":                         {Limit{}, false},
		"a limit without a burst is none":                    {Limit{Count: 5, Period: week}, false},
		"nor is one without a count":                         {Limit{Burst: 5, Period: week}, false},
		"nor is one without a period":                        {Limit{Count: 5, Burst: 5}, false},
		"nor is one with a negative period":                  {Limit{5, 5, -week}, false},
		"tokens come back at most once a nanosecond":         {Limit{11, 1, 10}, false},
		"and that is still a limit":                          {Limit{10, 1, 10}, true},
		"a bucket that takes ages to fill would overflow":    {Limit{1, math.MaxInt64, time.Hour}, false},
		"three years are fine":                               {Limit{1, 1152, day}, true},
		"every one of Let's Encrypt's own limits is a limit": {Limit{30000, 30000, time.Second}, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if err := c.limit.Validate(); (err == nil) != c.ok || c.limit.Enabled() != c.ok {
				t.Errorf("%+v: Validate is %v, Enabled %t; want a limit: %t", c.limit, err, c.limit.Enabled(), c.ok)
			}
			if c.ok == (c.limit.EmissionInterval() == 0 || c.limit.BurstOffset() == 0) {
				t.Errorf("%+v: interval %v, offset %v", c.limit, c.limit.EmissionInterval(), c.limit.BurstOffset())
			}
		})
	}
}
