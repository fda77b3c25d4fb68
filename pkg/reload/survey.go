package reload

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/certwire/certwire/pkg/probe"
)

// survey is the look around at the agent's start: which of the ports speak TLS, and, for a certificate that the memory
// does not know, whether the server already serves what the volume holds.
type survey struct {
	next, until time.Time
	wait        time.Duration
	// unknown are the certificates that the memory did not know.
	unknown []*tracked
}

func (e *Engine) newSurvey() *survey {
	if len(e.endpoints) == 0 {
		return nil
	}
	now := e.options.Now()
	s := &survey{next: now, until: now.Add(time.Duration(e.config.StartDeadline)), wait: firstLook}
	for _, t := range e.tracked {
		if t.Digest == "" {
			s.unknown = append(s.unknown, t)
		}
	}
	return s
}

// takeSurvey looks once, if it is time to. It reports whether something turned out to be pending.
func (e *Engine) takeSurvey(ctx context.Context) bool {
	s := e.survey
	if s == nil || e.options.Now().Before(s.next) {
		return false
	}
	e.look(ctx)
	if behind := e.missed(); behind {
		e.survey = nil
		return true
	}
	if e.answered() || !e.options.Now().Before(s.until) {
		e.survey = nil
		counted, bad := e.assess()
		e.options.Logger.Info("endpoints are known", "endpoints", counted, "bad", bad)
		e.publish()
		return false
	}
	s.wait = min(s.wait*3/2, 2*lastLook)
	s.next = e.options.Now().Add(s.wait)
	return false
}

// answered reports that every endpoint answered something. What an endpoint serves that is not ours it may serve for
// good.
func (e *Engine) answered() bool {
	return !slices.ContainsFunc(e.endpoints, func(p *endpoint) bool {
		return p.match == probe.Unknown && p.cause != probe.CausePlain && p.cause != probe.CauseDeclined
	})
}

// missed finds certificates whose previous leaf is served though the agent has never seen it: the change came while
// the agent was not running, and nothing remembers it. An older leaf for the very same names is what tells.
func (e *Engine) missed() bool {
	found := false
	for _, t := range e.survey.unknown {
		if t.pair == nil || t.broken != nil || t.pending() {
			continue
		}
		for _, p := range e.endpoints {
			if p.match == probe.Previous && slices.Equal(p.leaf.Names, t.pair.leaf.Names) && p.leaf.Fingerprint != t.pair.leaf.Fingerprint {
				t.Digest, t.Leaf, t.NotAfter = "served "+string(p.leaf.Fingerprint), p.leaf.Fingerprint, p.leaf.NotAfter
				t.Pending, t.Since = t.pair.digest, e.options.Now()
				e.move(t, slog.LevelInfo, "certificate changed", Pending, "", "previous", string(t.Leaf))
				found = true
			}
		}
	}
	if found {
		e.remember()
	}
	return found
}

// verifyStart looks until the server serves something: it returns how many endpoints serve the new leaf, three times in
// a row, or 0 when one serves something else, when there is nothing to look at, or when the deadline is over.
func (e *Engine) verifyStart(ctx context.Context) (int, error) {
	if len(e.endpoints) == 0 {
		return 0, nil
	}
	began, wait, good := e.options.Now(), firstLook, 0
	for {
		e.look(ctx)
		counted, bad := e.assess()
		switch {
		case len(bad) == 0 && counted > 0 && e.answered():
			if good++; good == 1 {
				e.good = e.options.Now()
			}
			if good >= confirmations {
				return counted, nil
			}
			wait = firstLook
		case e.answered(), e.options.Now().Sub(began) >= time.Duration(e.config.StartDeadline):
			return 0, ctx.Err()
		default:
			good = 0
		}
		if err := e.pause(ctx, wait); err != nil {
			return 0, err
		}
		wait = min(wait*3/2, lastLook)
	}
}
