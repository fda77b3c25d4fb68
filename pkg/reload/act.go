package reload

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/certwire/certwire/pkg/reload/spec"
)

// finalError is a failure that another attempt does not mend.
type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }
func (e *finalError) Unwrap() error { return e.err }

func final(err error) error { return &finalError{err} }

// laterError is a failure that time alone mends, and says how much of it.
type laterError struct {
	wait time.Duration
	err  error
}

func (e *laterError) Error() string { return e.err.Error() }
func (e *laterError) Unwrap() error { return e.err }

// errOutdated ends a round: the volume changed meanwhile, and another round begins.
var errOutdated = errors.New("the certificate changed meanwhile")

// carryOut tries one method until it succeeds, as often as the configuration allows, with growing waits in between.
func (e *Engine) carryOut(ctx context.Context, method spec.Method) error {
	act := map[spec.Method]func(context.Context) error{
		spec.Self:         func(context.Context) error { return nil },
		spec.HTTPMethod:   e.actHTTP,
		spec.SocketMethod: e.actSocket,
		spec.SignalMethod: e.actSignal,
	}[method]
	if act == nil {
		return fmt.Errorf("method %s is not carried out inside the pod", method)
	}
	for attempt := 1; ; attempt++ {
		err := act(ctx)
		if err == nil {
			return nil
		}
		if _, is := errors.AsType[*finalError](err); is || ctx.Err() != nil || !e.again(attempt) {
			return err
		}
		if attempt == 1 { // at the start of the pod the last attempt may be minutes off
			e.options.Logger.Info("method is tried again", "method", string(method), "cause", err.Error())
		}
		wait := e.jitter(time.Duration(e.config.Backoff) << min(attempt-1, 5))
		if later, is := errors.AsType[*laterError](err); is {
			wait = later.wait
		}
		if waited := e.pause(ctx, wait); waited != nil {
			return waited
		}
	}
}

// again reports whether a method is worth another attempt. At the start of the pod the server may take its time.
func (e *Engine) again(attempt int) bool { return attempt < e.config.Attempts || e.starting() }

// starting reports that the agent, and so most likely the pod, started not long ago, and that the server was not seen
// to serve yet. One that was and then refuses has no more excuse than an old one.
func (e *Engine) starting() bool {
	return !e.up && e.options.Now().Sub(e.started) < time.Duration(e.config.StartDeadline)
}

// jitter spreads a wait over half to one and a half of it, so that replicas do not fall into step.
func (e *Engine) jitter(d time.Duration) time.Duration {
	return d/2 + time.Duration(e.options.Random()*float64(d))
}
