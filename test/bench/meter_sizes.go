package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/certwire/certwire/pkg/ledger"
)

// shape is a budget as it can look.
type shape struct {
	name, domain string
	sets         int
	// within is the time in which all sets were issued, evenly.
	within time.Duration
	// flying is true when each set has an order in flight, too.
	flying bool
}

func shapes() []shape {
	return []shape{
		{name: "1 set", domain: "small-bench.com", sets: 1, within: renewsEvery},
		{name: "10,000 sets, renewing every 60 days", domain: "renewing-bench.com", sets: meteredSets, within: renewsEvery},
		{name: "10,000 sets, all issued within a day, an order in flight for each", domain: "worst-bench.com", sets: meteredSets, within: 24 * time.Hour, flying: true},
	}
}

// sizes prints what budgets weigh, and how long it takes to write them.
func (m *meter) sizes(ctx context.Context) error {
	r, err := m.replica(ctx, true)
	if err != nil {
		return err
	}
	defer r.stop()
	m.say("\n### One budget\n")
	row := "| %-66s | %9s | %9s | %10s | %8s | %8s | %s"
	m.say(row, "budget", "object KB", "state KB", "etcd limit", "p50 ms", "p99 ms", "")
	m.say("|%s|%s|%s|%s|%s|%s|", dashes(68), dashes(11), dashes(11), dashes(12), dashes(10), dashes(10))
	perSet := 0.0
	for _, s := range shapes() {
		if err := m.shape(ctx, r, s); err != nil {
			return err
		}
		object, state, err := m.weigh(ctx, s.domain)
		if err != nil {
			return err
		}
		took, err := m.places(ctx, r, s)
		if err != nil {
			return err
		}
		t := timingOf(took)
		m.say(row, s.name, kb(object), kb(state), fmt.Sprintf("%.0f %%", 100*float64(object)/etcdLimit), ms(t.p50), ms(t.p99),
			"target within etcd's 1.5 MiB: "+met(object < etcdLimit))
		if !s.flying && s.sets > 1 {
			perSet = float64(state) / float64(s.sets)
		}
	}
	m.say("\nms: one order's place, from the call until the API server has stored it; %d samples, one at a time", m.options.sequential)
	m.say("%.1f bytes of state for a set that is renewed every 60 days: the CRD's bound is met at about %.0f sets of one registered domain",
		perSet, float64(base64.StdEncoding.DecodedLen(stateLimit))/perSet)
	return m.rates(ctx, r)
}

// shape makes a budget look like it.
func (m *meter) shape(ctx context.Context, r *replica, s shape) error {
	now := time.Now()
	for i := range s.sets {
		at := now.Add(-s.within / time.Duration(s.sets+1) * time.Duration(i+1))
		r.Changed(issued(m.order(s.domain+hostOf(i, ""), hostOf(i, s.domain), at, false), at))
		if i%500 == 499 { // as a watch does, which takes its time
			if _, err := m.settled(ctx, r, time.Minute); err != nil {
				return err
			}
		}
	}
	if _, err := m.settled(ctx, r, time.Minute); err != nil {
		return err
	}
	for i := 0; s.flying && i < s.sets; i++ {
		r.Changed(ledger.Seen{Order: m.order(s.domain+hostOf(i, "/next"), hostOf(i, s.domain), now, true)})
		if i%500 == 499 {
			if _, err := m.settled(ctx, r, time.Minute); err != nil {
				return err
			}
		}
	}
	time.Sleep(100 * time.Millisecond)
	_, err := m.settled(ctx, r, time.Minute)
	return err
}

// weigh returns the bytes of a budget and of its state.
func (m *meter) weigh(ctx context.Context, domain string) (object, state int, err error) {
	raw, err := m.cluster.Client.CoreV1().RESTClient().Get().
		AbsPath("/apis/certwire.dev/v1alpha1/issuancebudgets", ledger.BudgetName(m.service.Host, domain, "")).DoRaw(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("reading a budget: %w", err)
	}
	var b struct{ Status struct{ State []byte } }
	if err := json.Unmarshal(raw, &b); err != nil {
		return 0, 0, fmt.Errorf("reading a budget: %w", err)
	}
	return len(raw), len(b.Status.State), nil
}

var reserved atomic.Int64

// reserve takes the place of a due renewal, which is one write, and returns how long that took.
func (m *meter) reserve(ctx context.Context, r *replica, set int, domain string) (time.Duration, error) {
	now := time.Now()
	o := m.order(fmt.Sprintf("place-%d", reserved.Add(1)), hostOf(set, domain), now, true)
	answer, err := r.Reserve(ctx, o, false)
	switch {
	case err != nil:
		return 0, err
	case !answer.Allowed:
		return 0, fmt.Errorf("a place at %s was refused: %+v", domain, answer)
	}
	return time.Since(now), nil
}

func (m *meter) places(ctx context.Context, r *replica, s shape) ([]time.Duration, error) {
	var took []time.Duration
	for i := range m.options.sequential {
		one, err := m.reserve(ctx, r, i%s.sets, s.domain)
		if err != nil {
			return nil, err
		}
		took = append(took, one)
	}
	return took, nil
}

// rates prints how many writes a second one replica gets through.
func (m *meter) rates(ctx context.Context, r *replica) error {
	m.say("\n### Writes a second, %d at a time, for %s each\n", m.options.workers, m.options.sustain)
	for _, c := range []struct {
		name   string
		domain func(worker, n int) string
	}{
		{"budgets of 20 domains for each worker", func(worker, n int) string { return fmt.Sprintf("many-%d-%d.com", worker, n%20) }},
		{"one budget with 10,000 sets", func(int, int) string { return "renewing-bench.com" }},
	} {
		until, before, refused := time.Now().Add(m.options.sustain), r.writes.Load(), r.refused.Load()
		start := time.Now()
		g, inner := errgroup.WithContext(ctx)
		for worker := range m.options.workers {
			g.Go(func() error {
				for n := 0; time.Now().Before(until); n++ {
					if _, err := m.reserve(inner, r, n%meteredSets, c.domain(worker, n)); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		rate := float64(r.writes.Load()-before) / time.Since(start).Seconds()
		if m.sustained == 0 {
			m.sustained = rate
		}
		m.say("- %s: %.0f writes/s, %d lost to a conflict", c.name, rate, r.refused.Load()-refused)
	}
	return nil
}

func kb(bytes int) string { return fmt.Sprintf("%.1f", float64(bytes)/1000) }
