package delivery

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/certwire/certwire/pkg/front"
	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/pkg/reload/spec"
)

// look dials every place of every pod that is not being deleted, and of those that serve for others. A pod that is not
// Ready serves nobody, and is not dialled.
func (s *sweep) look(ctx context.Context) {
	s.byUID = map[types.UID]*Replica{}
	presets := s.Presets()
	live := slices.DeleteFunc(slices.Clone(s.pods), func(p *Pod) bool { return !p.DeletionTimestamp.IsZero() })
	serving := s.findFronts(live)
	s.replicas = make([]Replica, len(live), len(live)+len(serving)) // which never moves
	var looking sync.WaitGroup
	for i, p := range live {
		replica := &s.replicas[i]
		s.byUID[p.UID] = replica
		*replica = Replica{Pod: p.Name, Started: p.Started, Patience: patience(p, presets), key: string(p.UID)}
		s.throughCopy(p, replica)
		if !p.Ready {
			replica.Endpoints = []Endpoint{{State: NotReady}}
			continue
		}
		looking.Go(func() { replica.Endpoints = s.dial(ctx, p, presets) })
	}
	for i := range serving {
		looking.Go(func() { s.lookAtFront(ctx, &serving[i]) })
	}
	looking.Wait()
	now := s.Now()
	for i, p := range live {
		s.m.pods[p.UID].saw(&s.replicas[i], now)
	}
	s.keepFronts(serving, now)
}

// saw remembers a look at a pod, and gives what it knows to the replica.
func (m *podMemory) saw(r *Replica, now time.Time) {
	switch r.state() {
	case Current:
		m.looks++
		m.blind = time.Time{}
		return
	case Unreachable, NotTLS, NotReady, NoPort, Ahead, Foreign:
		if m.blind.IsZero() {
			m.blind = now
		}
		r.Blind = m.blind
	default:
		m.blind = time.Time{}
	}
	m.looks = 0
}

// dial looks at one pod.
func (s *sweep) dial(ctx context.Context, p *Pod, presets map[string]spec.Values) []Endpoint {
	previous := s.previous()
	secret, _ := s.secretOf(p)
	list := targets(p, secret, s.leaf, presets, front.Offers(s.fronts, frontPod(p)))
	seen := make([]Endpoint, len(list))
	var looking sync.WaitGroup
	for i, t := range list {
		looking.Go(func() {
			result := s.one(ctx, t.Target)
			e := Endpoint{
				Port: t.port, State: stateOf(result, s.leaf, previous), Cause: result.Cause, Guessed: t.guessed,
				Serial: result.Leaf.Serial, NotBefore: result.Leaf.NotBefore, NotAfter: result.Leaf.NotAfter,
			}
			if (e.State == Foreign || e.State == Other) && s.belongsToAnother(p, result) {
				e.Guessed, e.State = true, Foreign // the port of another certificate of the pod's
			}
			seen[i] = e
		})
	}
	looking.Wait()
	return counted(seen)
}

// one looks at one place. A server with an RSA and an ECDSA certificate shows one of them, and is asked for the other.
func (s *sweep) one(ctx context.Context, t probe.Target) probe.Result {
	r := s.dialOnce(ctx, t)
	if r.State == probe.Served && r.Leaf.Fingerprint != s.leaf.Fingerprint && s.leaf.Key != 0 && r.Leaf.Key != s.leaf.Key {
		t.Key = s.leaf.Key
		if other := s.dialOnce(ctx, t); other.State == probe.Served {
			return other
		}
	}
	return r
}

// belongsToAnother reports whether what was served is the leaf of another Certificate whose Secret the pod uses.
func (s *sweep) belongsToAnother(p *Pod, r probe.Result) bool {
	for _, other := range s.othersOf(p) {
		if m := probe.CompareLeaf(r, *other.Leaf, nil); m == probe.Current || m == probe.Previous || m == probe.Ahead {
			return true
		}
	}
	return false
}
