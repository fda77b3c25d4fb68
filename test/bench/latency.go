package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// warmUps are requests of each pair that are not counted.
const warmUps = 10

// pair is what a sample is of.
type pair struct {
	contender contender
	object    object
}

func pairs() []pair {
	var all []pair
	for _, o := range objects {
		for _, c := range contenders {
			if c != constantPatch || o == needs { // it would be wrong for the others
				all = append(all, pair{c, o})
			}
		}
	}
	return all
}

// samples are response times.
type samples map[pair][]time.Duration

// latency measures at the present size and prints. Step is the number of Certificates asked for, 0 for the crowded one.
func (b *bench) latency(ctx context.Context, step int) error {
	if b.options.sequential+b.options.concurrent == 0 {
		return nil
	}
	if _, err := b.rounds(ctx, warmUps); err != nil {
		return err
	}
	size := fmt.Sprintf("%d Certificates, %d of them in the object's namespace", b.filling.total(), b.filling.own)
	if n := b.options.sequential; n > 0 {
		s, err := b.rounds(ctx, n)
		if err != nil {
			return err
		}
		b.table(fmt.Sprintf("%s: one request at a time, %d samples each", size, n), s, 1, step)
	}
	if n := b.options.concurrent; n > 0 {
		s, err := b.bursts(ctx, n)
		if err != nil {
			return err
		}
		b.table(fmt.Sprintf("%s: %d requests at a time, %d samples each", size, b.options.workers, n), s, burst, -1)
	}
	return nil
}

// rounds takes one sample of each pair, in random order, and again.
func (b *bench) rounds(ctx context.Context, count int) (samples, error) {
	s := samples{}
	order := pairs()
	for range count {
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, p := range order {
			took, err := b.sample(ctx, p)
			if err != nil {
				return nil, err
			}
			s[p] = append(s[p], took)
		}
	}
	return s, nil
}

// burst is how many requests of one pair follow each other in the concurrent part: contenders take turns there, too, but
// must not slow each other down.
const burst = 32

func (b *bench) bursts(ctx context.Context, count int) (samples, error) {
	s := samples{}
	for taken := 0; taken < count; taken += burst {
		order := pairs()
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, p := range order {
			took, err := b.burst(ctx, p, min(burst, count-taken))
			if err != nil {
				return nil, err
			}
			s[p] = append(s[p], took...)
		}
	}
	return s, nil
}

func (b *bench) burst(ctx context.Context, p pair, count int) ([]time.Duration, error) {
	var mu sync.Mutex
	var all []time.Duration
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(b.options.workers)
	for range count {
		g.Go(func() error {
			took, err := b.sample(ctx, p)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took)
			return err
		})
	}
	return all, g.Wait()
}

var unique atomic.Int64

// sample sends one request and checks the answer.
func (b *bench) sample(ctx context.Context, p pair) (time.Duration, error) {
	body := b.objects[p.object].named(fmt.Sprintf("shop-%d", unique.Add(1)))
	b.count(p.contender, p.object)
	start := time.Now()
	raw, err := b.create(ctx, p.contender, body)
	took := time.Since(start)
	if err != nil {
		return 0, err
	}
	return took, check(p.contender, p.object, raw)
}

var counting sync.Mutex

// count notes a request that a webhook may be called for.
func (b *bench) count(c contender, o object) {
	counting.Lock()
	defer counting.Unlock()
	if counts, ok := b.sent[c]; ok {
		counts[o]++
	}
}
