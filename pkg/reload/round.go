package reload

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/certwire/certwire/pkg/reload/spec"
)

// round is one set of changes on its way to the wire. Changes of several certificates at once share it: they are one
// reload of the server.
type round struct {
	signature string
	// began is when the first of the changes was noticed.
	began time.Time
	// step is the method to try next; failures are of the methods before it, stale says that one of them succeeded but
	// did not help.
	step     int
	failures []string
	stale    bool
	// passes counts how often all methods failed, and notBefore is when they are tried again.
	passes    int
	notBefore time.Time
	// missed is a round that began with the agent, for a change that came while it was not running: the server may not
	// run yet, or serve the new leaf already.
	missed bool
	// awaiting says that method restart waits for its permit, and alone is when it acts without one.
	awaiting bool
	alone    time.Time
}

var (
	errRestart = errors.New("the containers are to be restarted")
	errAwait   = errors.New("the permit is awaited")
)

// staleError is a method that succeeded without the server serving the new leaf.
type staleError struct{ err error }

func (e *staleError) Error() string { return e.err.Error() }
func (e *staleError) Unwrap() error { return e.err }

// turn does what is due. It returns errRestart when the containers are to be restarted, and otherwise when there is
// nothing left to do for now.
func (e *Engine) turn(ctx context.Context) error {
	for ctx.Err() == nil {
		if e.signature() == "" {
			e.round = nil
			if !e.takeSurvey(ctx) {
				return nil
			}
			continue
		}
		if e.round == nil || e.round.signature != e.signature() {
			e.begin()
		}
		if e.options.Now().Before(e.round.notBefore) {
			return nil
		}
		err := e.advance(ctx)
		switch {
		case errors.Is(err, errOutdated):
			if e.round != nil && e.round.signature != e.signature() {
				e.round = nil
			}
		case err != nil:
			if errors.Is(err, errAwait) {
				err = nil
			}
			return err
		case e.round == nil: // served
		default:
			return nil
		}
	}
	return ctx.Err()
}

func (e *Engine) begin() {
	began := e.noticed
	if began.IsZero() {
		began = e.options.Now()
	}
	e.round = &round{signature: e.signature(), began: began, missed: e.first}
	e.said = nil
}

// advance tries the methods from the round's step on. nil with the round gone is success, nil with the round still
// there is failure until notBefore.
func (e *Engine) advance(ctx context.Context) error {
	r := e.round
	if r.missed {
		if done, err := e.catchUp(ctx); done || err != nil {
			return err
		}
	}
	if r.passes > 0 && r.step == 0 && e.mended(ctx) {
		return nil
	}
	for r.step < len(e.spec.Methods) {
		method := e.spec.Methods[r.step]
		err := e.attempt(ctx, method)
		if err == nil || errors.Is(err, errOutdated) || errors.Is(err, errRestart) || errors.Is(err, errAwait) || ctx.Err() != nil {
			return err
		}
		outcome := OutcomeFailed
		if _, is := errors.AsType[*staleError](err); is {
			r.stale, outcome = true, OutcomeStale
		}
		e.count(method, outcome)
		e.once("method "+string(method)+" failed", err)
		r.failures = append(r.failures, fmt.Sprintf("%s: %v", method, err))
		r.step++
	}
	e.giveUp()
	return nil
}

// catchUp is for a round that began with the agent. The agent starts before its server, and may have been restarted
// together with it, so it first looks for what the server serves, as soon as it serves something: the new leaf is
// success, and anything else is a reason to act. It reports whether the round is over.
func (e *Engine) catchUp(ctx context.Context) (done bool, err error) {
	n, err := e.verifyStart(ctx)
	if err != nil {
		return false, err
	}
	e.round.missed = false
	restarted := e.restarted()
	switch {
	case n > 0:
		e.served(restartOr(restarted, e.spec.Methods[0]), n)
		return true, nil
	case !restarted:
		return false, nil
	}
	if counted, _ := e.assess(); counted > 0 {
		return false, nil // other methods may help yet
	}
	e.served(spec.Restart, 0)
	return true, nil
}

// mended looks whether the new leaf has come to the wire since the methods failed: somebody may have helped.
func (e *Engine) mended(ctx context.Context) bool {
	e.look(ctx)
	counted, bad := e.assess()
	if counted == 0 || len(bad) > 0 {
		return false
	}
	e.good = e.options.Now()
	e.served(e.spec.Methods[0], counted)
	return true
}

func restartOr(restarted bool, method spec.Method) spec.Method {
	if restarted {
		return spec.Restart
	}
	return method
}

// attempt carries out one method, and looks whether it helped.
func (e *Engine) attempt(ctx context.Context, method spec.Method) error {
	if method == spec.Restart {
		return e.restart(ctx)
	}
	if err := e.carryOut(ctx, method); err != nil {
		return err
	}
	n, err := e.verify(ctx)
	if errors.Is(err, errOutdated) || ctx.Err() != nil {
		return err
	}
	if err != nil {
		return &staleError{err}
	}
	e.served(method, n)
	return nil
}

// giveUp ends a pass in which every method failed. Another one comes later: what stood in the way may be gone then. It
// is said once; a later pass that fails for the same reason says nothing.
func (e *Engine) giveUp() {
	r := e.round
	state, message := Failed, "certificate is not taken up"
	if r.stale {
		state, message = Stale, "certificate is taken up but not served"
	}
	cause := strings.Join(r.failures, "; ")
	for _, t := range e.tracked {
		if t.pending() {
			e.move(t, slog.LevelError, message, state, cause, "outcome", string(state), "took", e.options.Now().Sub(r.began).String())
		}
	}
	const most = 15
	wait := time.Duration(e.config.Retry) * time.Duration(min(1<<min(r.passes, 4), most))
	r.passes++
	r.step, r.failures, r.stale, r.awaiting = 0, nil, false, false
	r.notBefore = e.options.Now().Add(e.jitter(wait))
	e.publish()
}

// restarted reports that the containers were restarted for everything that is pending.
func (e *Engine) restarted() bool {
	for _, t := range e.tracked {
		if t.pending() && t.Restarted != t.pair.digest {
			return false
		}
	}
	return true
}

// restart asks for the restart of all containers, when it is this pod's turn. It is never asked for twice for the same
// certificate: where it did not help it would not end, and the kubelet has no back-off for it.
func (e *Engine) restart(ctx context.Context) error {
	if e.restarted() {
		e.look(ctx)
		_, bad := e.assess()
		return &staleError{fmt.Errorf("the containers were restarted for this certificate already, but %s", strings.Join(bad, ", "))}
	}
	if !e.hasPermit() && e.options.Now().Before(e.aloneAt()) {
		e.round.awaiting = true
		for _, t := range e.tracked {
			if t.pending() {
				e.move(t, slog.LevelInfo, "restart waits for its permit", AwaitingPermit, "", "method", string(spec.Restart),
					"until", e.round.alone.UTC())
			}
		}
		return errAwait
	}
	for _, t := range e.tracked {
		if t.pending() {
			t.Restarted = t.pair.digest
		}
	}
	if !e.remember() {
		for _, t := range e.tracked {
			t.Restarted = e.memory[t.Name].Restarted
		}
		return errors.New("the containers are not restarted, since the agent could not remember it (state needs a directory that it may write to)")
	}
	for _, t := range e.tracked {
		if t.pending() {
			e.options.Logger.Info("containers restart", "certificate", t.Name, "fingerprint", string(t.pair.leaf.Fingerprint),
				"method", string(spec.Restart), "outcome", string(OutcomeRestart))
		}
	}
	e.count(spec.Restart, OutcomeRestart)
	return errRestart
}

// hasPermit reports whether the pod may restart now. A permit names a new leaf; a change of the chain or of the CA
// alone has none, and waits for its deadline.
func (e *Engine) hasPermit() bool {
	if e.config.Permit.File == "" {
		return true
	}
	file, err := readBounded(e.config.Permit.File, maxFile)
	if err != nil {
		e.once("the permit cannot be read", err)
		return false
	}
	for _, t := range e.tracked {
		if t.pending() && t.renewed() && permits(file, t.pair.leaf.Fingerprint) {
			return true
		}
	}
	return false
}

// permitted reports that a round waits for a permit, and that it is there.
func (e *Engine) permitted() bool { return e.round.awaiting && e.hasPermit() }

// aloneAt is when this round restarts without a permit: the earliest moment of what is pending.
func (e *Engine) aloneAt() time.Time {
	if !e.round.alone.IsZero() {
		return e.round.alone
	}
	random := e.options.Random()
	for _, t := range e.tracked {
		if !t.pending() {
			continue
		}
		at := aloneAt(t.Since, t.NotAfter, time.Duration(e.config.Permit.Deadline), time.Duration(e.config.Permit.Spread), random)
		if e.round.alone.IsZero() || at.Before(e.round.alone) {
			e.round.alone = at
		}
	}
	return e.round.alone
}

// nextWait is the time until something is due; negative if nothing is.
func (e *Engine) nextWait() time.Duration {
	var next time.Time
	switch {
	case e.round != nil && e.options.Now().Before(e.round.notBefore):
		next = e.round.notBefore
	case e.round != nil && e.round.awaiting:
		next = e.round.alone
	case e.round == nil && e.survey != nil:
		next = e.survey.next
	default:
		return -1
	}
	return max(next.Sub(e.options.Now()), 0)
}
