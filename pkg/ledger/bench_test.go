package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/certwire/certwire/pkg/acme"
)

// The cost of an answer, and of reading and writing a budget:
//
//	go test ./pkg/ledger -run '^$' -bench . -benchmem
//
// Sizes are sets of names of one registered domain. "waiting" means that a change of that budget is not stored yet, as it
// is for some milliseconds after each order.

const benchDomain = "example.com"

// benchState is a domain whose sets were issued evenly over 60 days, as renewals do it: a few buckets are not full.
func benchState(sets int) *state {
	s := newState()
	const cycle = 60 * 24 * time.Hour
	limits := testLimits()
	for i := range sets {
		issued := noon.Add(-cycle / time.Duration(sets+1) * time.Duration(i+1)).Truncate(time.Second)
		x := set{issued: issued}
		if tat := issued.Add(limits.CertificatesPerSet.EmissionInterval()); tat.After(noon) {
			x.tat = tat
		}
		s.sets[keyOfSet(acme.SetKey([]string{benchName(i)}))] = x
		if noon.Sub(issued) < limits.CertificatesPerDomain.BurstOffset() {
			s.counted[keyOfUID(benchName(i))] = issued
		}
	}
	return s
}

// worstState is a domain in which every set has a bucket that is not full and an order in flight.
func worstState(sets int) *state {
	s := newState()
	for i := range sets {
		issued := noon.Add(-time.Duration(i) * time.Second).Truncate(time.Second)
		key := keyOfSet(acme.SetKey([]string{benchName(i)}))
		s.sets[key] = set{tat: issued.Add(40 * time.Hour), issued: issued}
		s.counted[keyOfUID(benchName(i))] = issued
		s.inFlight[keyOfUID(benchName(i)+"/next")] = flight{set: key, since: issued, home: true}
	}
	return s
}

func benchName(i int) string { return fmt.Sprintf("host-%05d.%s", i, benchDomain) }

// benchLedger has one budget in memory, as if it had been read.
func benchLedger(b *testing.B, s *state) (*Ledger, acme.Service) {
	b.Helper()
	limits := testLimits()
	dirs, err := acme.NewDirectories(acme.CA{Name: "Test", Production: []string{testCA}, Limits: &limits, RenewalExemption: 120 * 24 * time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	ca, _ := dirs.Service("https://" + testCA)
	l := New(Options{
		Directories: func() acme.Directories { return dirs }, Log: logr.Discard(), Now: func() time.Time { return noon },
	})
	l.reading.Store(true)
	of := subject{ca: ca, domain: benchDomain}
	e := newEntry(of, nil)
	e.state = s
	l.decoded[of.name()] = cached{entry: e}
	return l, ca
}

func BenchmarkAssess(b *testing.B) {
	for _, sets := range []int{1, 1000, 10_000} {
		for _, waiting := range []bool{false, true} {
			name := fmt.Sprintf("sets=%d", sets)
			if waiting {
				name += "/waiting"
			}
			b.Run(name, func(b *testing.B) {
				l, ca := benchLedger(b, benchState(sets))
				o := NewOrder(Order{UID: "asked", Namespace: "shop", Certificate: "web", Service: ca, Account: "https://ca.test/acct/1"}, []string{benchName(0)})
				if waiting {
					other := NewOrder(Order{UID: "other", Namespace: "shop", Certificate: "api", Service: ca}, []string{"new." + benchDomain})
					l.wait(subject{ca: ca, domain: benchDomain}, "issued/other", noon, func(e *entry) bool { return e.land(&other, keyOfUID("other"), false, noon) })
				}
				b.ReportAllocs()
				for b.Loop() {
					if got := l.Assess(o); !got.Known || !got.Allowed {
						b.Fatalf("%+v", got)
					}
				}
			})
		}
	}
}

func BenchmarkState(b *testing.B) {
	for name, s := range map[string]*state{"renewing": benchState(10_000), "worst": worstState(10_000)} {
		raw := s.encode()
		b.Run("encode/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				_ = s.encode()
			}
		})
		b.Run("decode/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decodeState(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkChanged is a cold start: so many orders of one domain are shown before anything is stored.
func BenchmarkChanged(b *testing.B) {
	for _, orders := range []int{100, 1000, 4000} {
		b.Run(fmt.Sprintf("orders=%d", orders), func(b *testing.B) {
			for b.Loop() {
				l, ca := benchLedger(b, newState())
				for i := range orders {
					at := noon.Add(-time.Duration(i) * 10 * time.Minute)
					o := NewOrder(Order{UID: benchName(i), Namespace: "shop", Certificate: "web", Service: ca, Created: at}, []string{benchName(i)})
					l.Changed(Seen{Order: o, Stage: Issued, Taken: true, IssuedAt: at})
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*orders), "µs/order")
		})
	}
}
