package pods

import (
	"context"
	"sync"
	"time"

	"github.com/certwire/certwire/pkg/probe"
)

const (
	// lookEvery is the time between two looks at an address, and looksAtOnce how many are under way: the machine, which the
	// pods share, is small.
	lookEvery   = 100 * time.Millisecond
	looksAtOnce = 8
)

// Seen is what one look showed, and when.
type Seen struct {
	Leaf probe.Fingerprint // "" for no certificate
	At   time.Time
}

// Look dials every address once, and returns what each serves.
func Look(ctx context.Context, addresses []string) []Seen {
	seen := make([]Seen, len(addresses))
	room := make(chan struct{}, looksAtOnce)
	var looking sync.WaitGroup
	for i, address := range addresses {
		room <- struct{}{}
		looking.Go(func() {
			defer func() { <-room }()
			leaf := probe.Dial(ctx, probe.Target{Address: address}).Leaf
			seen[i] = Seen{Leaf: leaf.Fingerprint, At: time.Now()}
		})
	}
	looking.Wait()
	return seen
}

// Watch looks again and again, whatever anybody else does, and returns for each address how long after a time it was first
// seen to serve another certificate than the one before. Those that have been are left alone. The context's end is an
// error.
func Watch(ctx context.Context, addresses []string, before probe.Fingerprint, since time.Time) ([]time.Duration, error) {
	var took []time.Duration
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		var behind []string
		for i, s := range Look(ctx, addresses) {
			if s.Leaf == "" || s.Leaf == before {
				behind = append(behind, addresses[i])
			} else {
				took = append(took, s.At.Sub(since))
			}
		}
		if addresses = behind; len(addresses) == 0 {
			return took, nil
		}
		select {
		case <-ctx.Done():
			return took, ctx.Err()
		case <-tick.C:
		}
	}
}
