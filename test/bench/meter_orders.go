package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/ledger"
)

// writesPerOrder lets orders live their lives before two replicas, one of which leads, and counts what they write.
func (m *meter) writesPerOrder(ctx context.Context) error {
	m.say("\n### Writes for each order, with two replicas\n")
	first, err := m.replica(ctx, true)
	if err != nil {
		return err
	}
	defer first.stop()
	second, err := m.replica(ctx, false)
	if err != nil {
		return err
	}
	defer second.stop()
	const orders = 20
	for _, renewal := range []bool{false, true} {
		before, refused := first.writes.Load()+second.writes.Load(), first.refused.Load()+second.refused.Load()
		if err := m.lives(ctx, []*replica{first, second}, orders, renewal); err != nil {
			return err
		}
		per := float64(first.writes.Load()+second.writes.Load()-before) / orders
		what := "a first order of a new domain, the objects themselves included"
		if renewal {
			what, m.perRenewal = "a renewal", per
		}
		m.say("- %s: %.2f, and %.2f lost to a conflict", what, per,
			float64(first.refused.Load()+second.refused.Load()-refused)/orders)
	}
	perSecond := float64(meteredCertificates) / renewsEvery.Seconds()
	total := perSecond * (m.perRenewal + refreshes)
	m.say("\n%d Certificates that renew every 60 days are %.4f orders a second. With %.2f writes at the time and %d later, at most, that is %.2f writes "+
		"a second: %.0f times less than one replica sustained, %.0f times less than its client's limit of %d",
		meteredCertificates, perSecond, m.perRenewal, refreshes, total, m.sustained/total, clientRate/total, clientRate)
	return nil
}

// lives takes orders from the gate to the certificate; each stage is stored before the next.
func (m *meter) lives(ctx context.Context, replicas []*replica, count int, renewal bool) error {
	now := time.Now()
	var orders []ledger.Order
	for i := range count {
		o := m.order(fmt.Sprintf("life-%d-%v", i, renewal), fmt.Sprintf("www.life-%d.com", i), now, renewal)
		answer, err := replicas[i%len(replicas)].Reserve(ctx, o, true)
		switch {
		case err != nil:
			return err
		case !answer.Allowed:
			return fmt.Errorf("an order was refused: %+v", answer)
		}
		orders = append(orders, o)
	}
	for _, stage := range []ledger.Seen{
		{Stage: ledger.Pending}, {Stage: ledger.Pending, Taken: true}, {Stage: ledger.Finalizing, Taken: true}, {Stage: ledger.Issued, Taken: true},
	} {
		for _, o := range orders {
			seen := stage
			seen.Order = o
			for _, r := range replicas {
				r.Changed(seen)
			}
		}
		time.Sleep(100 * time.Millisecond)
		for _, r := range replicas {
			if _, err := m.settled(ctx, r, time.Minute); err != nil {
				return err
			}
		}
	}
	return nil
}

// coldStart shows all Orders of a large cluster to a replica that knows nothing, in a cluster without budgets.
func (m *meter) coldStart(ctx context.Context) error {
	r, err := m.replica(ctx, true)
	if err != nil {
		return err
	}
	defer r.stop()
	m.say("\n### Cold start: %d Orders of %d registered domains, %d of them of one\n", meteredCertificates, meteredDomains, meteredSets)
	seen := m.everyOrder()
	start, before := time.Now(), r.writes.Load()
	for i, s := range seen {
		if i%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		r.Changed(s)
	}
	fed := time.Since(start)
	m.say("- all are counted, and answers are right, after %s (%s for each Order)", fed.Round(10*time.Millisecond), (fed / meteredCertificates).Round(100*time.Nanosecond))
	m.answers(r, "while most of it waits to be stored", seen)
	storing, meanwhile := time.Now(), r.writes.Load()
	all, err := m.settled(ctx, r, m.options.patience)
	if err != nil {
		return err
	}
	wrote, took := r.writes.Load()-meanwhile, time.Since(storing)
	const needed = 2 * meteredDomains // each budget is made, and then its status is written
	done := r.writes.Load() - before
	m.say("- %d writes in %s after that, %.0f a second", wrote, took.Round(100*time.Millisecond), float64(wrote)/took.Seconds())
	if all {
		m.say("- all is stored after %s, with %d writes", time.Since(start).Round(100*time.Millisecond), done)
	} else {
		rest := time.Duration(float64(max(needed-done, 0)) / float64(wrote) * float64(took))
		m.say("- all would be stored after %s (extrapolated from %d of about %d writes)", (time.Since(start) + rest).Round(time.Second), done, needed)
	}
	m.say("- with the product's own limit of %d requests a second: after about %s", clientRate, (time.Duration(max(needed, done)) * time.Second / clientRate).Round(time.Second))
	m.answers(r, "afterwards", seen)
	return nil
}

// everyOrder is the last Order of each Certificate, in no order. Each was issued within the last 60 days.
func (m *meter) everyOrder() []ledger.Seen {
	now := time.Now()
	seen := make([]ledger.Seen, 0, meteredCertificates)
	for i := range meteredCertificates {
		domain := "seed-0.com"
		if i >= meteredSets {
			domain = fmt.Sprintf("seed-%d.com", 1+i%(meteredDomains-1))
		}
		at := now.Add(-renewsEvery / (meteredCertificates + 1) * time.Duration(i+1))
		if i < meteredSets {
			at = now.Add(-renewsEvery / (meteredSets + 1) * time.Duration(i+1))
		}
		seen = append(seen, issued(m.order(fmt.Sprintf("seed-%d", i), hostOf(i, domain), at, false), at))
	}
	rand.Shuffle(len(seen), func(i, j int) { seen[i], seen[j] = seen[j], seen[i] })
	return seen
}

// answers prints how long a decision takes in memory.
func (m *meter) answers(r *replica, when string, seen []ledger.Seen) {
	var took []time.Duration
	for _, s := range seen[:2000] {
		o := s.Order
		o.UID = "asked"
		start := time.Now()
		r.Assess(o)
		took = append(took, time.Since(start))
	}
	t := timingOf(took)
	worst := slices.Max(took)
	m.say("- a decision %s: p50 %s, p99 %s, longest %s", when, t.p50.Round(100*time.Nanosecond), t.p99.Round(100*time.Nanosecond), worst.Round(time.Microsecond))
}

// resident starts a fresh replica beside what is stored, and prints what it keeps.
func (m *meter) resident(ctx context.Context) error {
	before := heap()
	start := time.Now()
	r, err := m.replica(ctx, false)
	if err != nil {
		return err
	}
	defer r.stop()
	ready := time.Since(start)
	var list v1alpha1.IssuanceBudgetList
	if err := r.Cache.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("counting budgets: %w", err)
	}
	budgets := len(list.Items)
	list.Items = nil
	m.say("\n### A fresh replica beside these budgets\n")
	m.say("- ready after %s, with %d budgets", ready.Round(10*time.Millisecond), budgets)
	m.say("- heap after garbage collection: %.1f MiB more than without it", float64(heap()-before)/(1<<20))
	seen := m.everyOrder()
	for _, s := range seen {
		o := s.Order
		o.UID = "asked"
		r.Assess(o)
	}
	clear(seen)
	m.say("- the same, once every Certificate has been asked about: %.1f MiB", float64(heap()-before)/(1<<20))
	return nil
}

// heap is what lives after garbage collection, in bytes.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}
