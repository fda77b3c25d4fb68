package acme

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func ask(name LimitName, limit Limit, tat time.Time, check, spend bool) Ask {
	return Ask{Transaction: Transaction{
		Key: Key{Limit: name, Value: "x"}, Limit: limit, Cost: 1, Check: check, Spend: spend,
	}, TAT: tat}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	hourly := Limit{Count: 2, Burst: 2, Period: 2 * time.Hour}
	e := fivePerWeek.EmissionInterval()
	held := func(a Ask, n int64) Ask {
		a.Held = n
		return a
	}
	for sentence, c := range map[string]struct {
		asks    []Ask
		allowed bool
		binds   LimitName
		retryAt time.Time
		stored  map[LimitName]time.Time
	}{
		"nothing asked is allowed": {nil, true, "", time.Time{}, nil},
		"a full bucket lets an order through and is spent": {
			[]Ask{ask(NewOrdersPerAccount, hourly, time.Time{}, true, true)},
			true, NewOrdersPerAccount, noon, map[LimitName]time.Time{NewOrdersPerAccount: noon.Add(time.Hour)},
		},
		"a check stores nothing": {
			[]Ask{ask(CertificatesPerSet, fivePerWeek, noon.Add(e), true, false)}, true, CertificatesPerSet, noon, nil,
		},
		"a denied set of names costs the account nothing": {
			[]Ask{
				ask(NewOrdersPerAccount, hourly, time.Time{}, true, true),
				ask(CertificatesPerSet, fivePerWeek, noon.Add(5*e), true, false),
			}, false, CertificatesPerSet, noon.Add(e), nil,
		},
		"of two denials the longer wait binds": {
			[]Ask{
				ask(CertificatesPerSet, fivePerWeek, noon.Add(5*e), true, false),
				ask(NewOrdersPerAccount, hourly, noon.Add(2*time.Hour), true, true),
			}, false, CertificatesPerSet, noon.Add(e), nil,
		},
		"a denial binds before an allowance with a longer wait": {
			[]Ask{
				ask(NewOrdersPerAccount, hourly, noon.Add(2*time.Hour), true, true),
				ask(CertificatesPerSet, fivePerWeek, noon.Add(4*e), true, false),
			}, false, NewOrdersPerAccount, noon.Add(time.Hour), nil,
		},
		"of two allowances the fewest tokens bind": {
			[]Ask{
				ask(NewOrdersPerAccount, hourly, time.Time{}, true, false),
				ask(CertificatesPerSet, fivePerWeek, time.Time{}, true, false),
			}, true, NewOrdersPerAccount, noon, nil,
		},
		"what only spends never denies": {
			[]Ask{
				ask(CertificatesPerDomain, hourly, noon.Add(time.Hour), false, true),
				ask(CertificatesPerSet, fivePerWeek, noon.Add(5*e), false, true),
			}, true, "", time.Time{}, map[LimitName]time.Time{CertificatesPerDomain: noon.Add(2 * time.Hour)},
		},
		"a limit that is not enabled neither binds nor is stored": {
			[]Ask{
				ask(NewOrdersPerAccount, hourly, time.Time{}, true, true), ask(CertificatesPerSet, Limit{}, noon.Add(5*e), true, true),
			}, true, NewOrdersPerAccount, noon, map[LimitName]time.Time{NewOrdersPerAccount: noon.Add(time.Hour)},
		},
		"the second ask of a bucket sees what the first one leaves": {
			[]Ask{
				ask(NewOrdersPerAccount, hourly, noon.Add(time.Hour), true, true),
				ask(NewOrdersPerAccount, hourly, noon.Add(time.Hour), true, true),
			}, false, NewOrdersPerAccount, noon.Add(time.Hour), nil,
		},
		"a token that an order on its way will take is not there": {
			[]Ask{held(ask(CertificatesPerSet, fivePerWeek, noon.Add(4*e), true, false), 1)},
			false, CertificatesPerSet, noon.Add(e), nil,
		},
		"a token that is not claimed is": {
			[]Ask{held(ask(CertificatesPerSet, fivePerWeek, noon.Add(3*e), true, false), 1)},
			true, CertificatesPerSet, noon.Add(e), nil,
		},
		"more claims than the bucket holds are helped by no waiting": {
			[]Ask{
				held(ask(CertificatesPerSet, fivePerWeek, time.Time{}, true, false), 5),
				ask(NewOrdersPerAccount, hourly, noon.Add(2*time.Hour), true, true),
			}, false, CertificatesPerSet, time.Time{}, nil,
		},
		"claims do not keep what has happened from being spent": {
			[]Ask{held(ask(CertificatesPerSet, fivePerWeek, noon.Add(4*e), false, true), 1)},
			true, "", time.Time{}, map[LimitName]time.Time{CertificatesPerSet: noon.Add(5 * e)},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			batch := Decide(noon, c.asks)
			if batch.Allowed != c.allowed || batch.Strictest.Key.Limit != c.binds || !batch.Strictest.RetryAt.Equal(c.retryAt) {
				t.Errorf("allowed is %t, want %t; %q binds until %v, want %q until %v",
					batch.Allowed, c.allowed, batch.Strictest.Key.Limit, batch.Strictest.RetryAt, c.binds, c.retryAt)
			}
			var stored map[LimitName]time.Time
			for key, tat := range batch.TATs {
				if stored == nil {
					stored = map[LimitName]time.Time{}
				}
				stored[key.Limit] = tat
			}
			if diff := cmp.Diff(c.stored, stored); diff != "" {
				t.Errorf("stored (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAVerdictTellsWhatAPersonAsks(t *testing.T) {
	t.Parallel()
	e := fivePerWeek.EmissionInterval()
	domain := ask(CertificatesPerDomain, fivePerWeek, noon.Add(2*e), true, false)
	set := ask(CertificatesPerSet, fivePerWeek, noon.Add(4*e), true, false)
	set.Held = 1
	got := Decide(noon, []Ask{ask(NewOrdersPerAccount, fivePerWeek, noon, false, true), domain, set}).Verdicts
	want := []Verdict{
		{Allowed: true, Key: domain.Key, Limit: fivePerWeek, Used: 2, Remaining: 2, RetryAt: noon, TAT: noon.Add(2 * e)},
		{Key: set.Key, Limit: fivePerWeek, Used: 4, Held: 1, Remaining: 0, RetryAt: noon.Add(e), TAT: noon.Add(4 * e)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
}

// BenchmarkDecide is the decision about an order of two names alone: the account, the domain, the set, and, with
// authorizations that may have failed, five buckets.
func BenchmarkDecide(b *testing.B) {
	limits := letsEncryptServices()[Production].Limits
	order := OrderFacts{Account: "https://acme-v02.api.letsencrypt.org/acme/acct/1", Names: []string{"example.com", "www.example.com"}}
	var asks []Ask
	for _, txn := range limits.NewOrder(order) {
		asks = append(asks, Ask{Transaction: txn, TAT: noon.Add(txn.Limit.EmissionInterval())})
	}
	b.ReportMetric(float64(len(asks)), "buckets")
	b.ReportAllocs()
	for b.Loop() {
		if !Decide(noon, asks).Allowed {
			b.Fatal("denied")
		}
	}
}

// BenchmarkOrder is all there is to compute for an order of two names: the registered domain, the key of the set, and
// the decision.
func BenchmarkOrder(b *testing.B) {
	limits := letsEncryptServices()[Production].Limits
	order := OrderFacts{Account: "https://acme-v02.api.letsencrypt.org/acme/acct/1", Names: []string{"example.com", "www.example.com"}}
	asks := make([]Ask, 0, 8)
	b.ReportAllocs()
	for b.Loop() {
		asks = asks[:0]
		for _, txn := range limits.NewOrder(order) {
			asks = append(asks, Ask{Transaction: txn})
		}
		if !Decide(noon, asks).Allowed {
			b.Fatal("denied")
		}
	}
}
