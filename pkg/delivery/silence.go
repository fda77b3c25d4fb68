package delivery

import (
	"context"
	"sync"
	"time"

	"github.com/certwire/certwire/pkg/probe"
)

const (
	// firstTimeout bounds the first dial of a place, which a look waits for. Who does not answer in it is asked again on the
	// side, with dialTimeout, and looks go by what was seen last until it answers.
	firstTimeout = 2 * time.Second
	// listeners is how many are asked again at a time.
	listeners = 32
	// firstPause is the time until a silent place is asked once more, which doubles up to lastPause.
	firstPause, lastPause = 10 * time.Second, 4 * time.Minute
	// maxSilent bounds what is remembered, and forgetSilent is how long after the last look.
	maxSilent    = 50_000
	forgetSilent = 15 * time.Minute
)

// silence remembers the places that let dials time out, so that nobody waits for them again: one such place costs one
// look two seconds, and then nobody anything but a few connections on the side.
type silence struct {
	mu     sync.Mutex
	places map[string]*silentPlace // by address
	pruned time.Time
}

// silentPlace is one of them.
type silentPlace struct {
	result probe.Result // of the last dial
	times  int
	// due is when to ask again, asking that it is being asked, and looked when somebody wanted to know last.
	due, looked time.Time
	asking      bool
}

// known returns what a silent place said last; false for one that is not. again says that it is to be asked once more by
// the caller, who then calls answered.
func (s *silence) known(address string, now time.Time) (result probe.Result, again, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.places[address]
	if p == nil {
		return probe.Result{}, false, false
	}
	p.looked = now
	if !p.asking && !now.Before(p.due) {
		p.asking = true
		return p.result, true, true
	}
	return p.result, false, true
}

// answered notes a dial: what timed out is silent from now on, and what did not is not any more.
func (s *silence) answered(address string, r probe.Result, now time.Time) (silentStill bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Cause != probe.CauseTimeout && r.Cause != probe.CauseNoRoute {
		delete(s.places, address)
		return false
	}
	p := s.places[address]
	if p == nil {
		if s.prune(now); len(s.places) >= maxSilent {
			return true
		}
		if s.places == nil {
			s.places = map[string]*silentPlace{}
		}
		s.places[address] = &silentPlace{result: r, due: now, looked: now}
		return true
	}
	p.result, p.asking, p.due = r, false, now.Add(min(firstPause<<min(p.times, 8), lastPause))
	p.times++
	return true
}

// later gives back a place that could not be asked now.
func (s *silence) later(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.places[address]; p != nil {
		p.asking = false
	}
}

// prune forgets, once a minute, what nobody wants to know any more.
func (s *silence) prune(now time.Time) {
	if now.Sub(s.pruned) < time.Minute {
		return
	}
	s.pruned = now
	for address, p := range s.places {
		if now.Sub(p.looked) >= forgetSilent && !p.asking {
			delete(s.places, address)
		}
	}
}

// dialOnce dials a place when there is room for it, but for one that is known to be silent: that is asked on the side, if
// need be, and the Certificate looked after once it answers. Whoever is asked is so because of what the cluster says now.
func (s *sweep) dialOnce(ctx context.Context, t probe.Target) probe.Result {
	if r, again, silent := s.silence.known(t.Address, s.Now()); silent {
		if again {
			s.askOnTheSide(ctx, t)
		}
		return r
	}
	done := s.slot(ctx)
	if done == nil {
		return probe.Result{State: probe.Unreachable, Cause: probe.CauseCanceled}
	}
	defer done()
	t.Timeout = firstTimeout
	r := s.ask(ctx, t)
	s.silence.answered(t.Address, r, s.Now())
	return r
}

// askOnTheSide asks a silent place without anybody waiting for it.
func (s *sweep) askOnTheSide(ctx context.Context, t probe.Target) {
	select {
	case s.listening <- struct{}{}:
	default:
		s.silence.later(t.Address)
		return
	}
	t.Timeout = dialTimeout
	go func() {
		defer func() { <-s.listening }()
		if !s.silence.answered(t.Address, s.ask(ctx, t), s.Now()) {
			s.queue.Add(s.key)
		}
	}()
}
