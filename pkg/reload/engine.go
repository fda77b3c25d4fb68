package reload

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/certwire/certwire/pkg/reload/spec"
)

// RestartExitCode is what the agent exits with to have all containers of its pod restarted in place: the injected
// container has a restart rule for it (KEP-5532, RestartAllContainers).
const RestartExitCode = spec.RestartExitCode

// Options are what is around the engine. The zero value is the real world.
type Options struct {
	// Logger takes JSON lines with constant messages. Defaults to slog's own.
	Logger *slog.Logger
	// Now is the clock that deadlines are told by. Defaults to time.Now.
	Now func() time.Time
	// Random returns numbers from 0 to 1 for delays. Defaults to math/rand.
	Random func() float64
	// Proc is where processes are listed. Defaults to /proc.
	Proc string
}

// Engine watches, acts and verifies. Its methods may be called from anywhere; Run once.
type Engine struct {
	config  Config
	spec    spec.Spec
	options Options

	// What follows belongs to Run's goroutine.
	context   context.Context // for log lines, which take one
	memory    memory
	tracked   []*tracked
	endpoints []*endpoint
	watch     *watch
	poll      *time.Timer
	looked    time.Time
	noticed   time.Time
	// good is when the endpoints were first good in the last row of looks.
	good time.Time
	// quiet ends the wait after a notice.
	quiet  <-chan time.Time
	round  *round
	survey *survey
	// started is when the agent began, and first is true until it has dealt with what it found then.
	started time.Time
	first   bool
	// up is true once the server was seen to serve.
	up bool
	// said is what was logged, see once.
	said map[string]string

	lock   sync.Mutex
	status Status
}

// New makes an engine. The configuration comes from [ParseConfig]; an error says what is wrong with it.
func New(c Config, o Options) (*Engine, error) {
	s, err := spec.Parse(c.Values)
	if err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Proc == "" {
		o.Proc = "/proc"
	}
	e := &Engine{config: c, spec: s, options: o, endpoints: newEndpoints(c, s)}
	e.status.Counts = map[Count]int{}
	for _, cert := range c.Certificates {
		e.tracked = append(e.tracked, &tracked{Certificate: cert})
	}
	return e, nil
}

// Run watches until the context ends. It returns true when method restart is to be carried out, which is the caller's
// part: to exit with [RestartExitCode]. It returns for no other reason.
func (e *Engine) Run(ctx context.Context) (restart bool) {
	e.context = ctx
	e.start()
	defer e.watch.close()
	for {
		switch err := e.turn(ctx); {
		case errors.Is(err, errRestart):
			return true
		case ctx.Err() != nil:
			return false
		}
		e.first = false
		if err := e.pause(ctx, e.nextWait()); err != nil && !errors.Is(err, errOutdated) {
			return false
		}
	}
}

// start remembers, and takes a first look: what is in the volumes now is where the watch begins from, unless the memory
// says otherwise.
func (e *Engine) start() {
	dirs := make([]string, 0, len(e.tracked)+1)
	for _, t := range e.tracked {
		dirs = append(dirs, t.Root)
	}
	if file := e.config.Permit.File; file != "" {
		dirs = append(dirs, filepath.Dir(file))
	}
	e.watch = newWatch(dirs, e.config.PollOnly)
	e.poll = time.NewTimer(e.pollWait())
	var err error
	if e.memory, err = recall(e.config.State); err != nil {
		e.options.Logger.Warn("the memory cannot be read", "cause", err.Error())
	}
	for _, t := range e.tracked {
		t.remembered = e.memory[t.Name]
	}
	e.options.Logger.Info("agent starts", "certificates", len(e.tracked), "methods", e.spec.Methods, "endpoints", len(e.endpoints),
		"notify", e.watch.problem == "")
	if e.watch.problem != "" {
		e.options.Logger.Warn("changes are found by polling alone", "cause", e.watch.problem, "poll", time.Duration(e.config.Poll).String())
	}
	e.survey, e.started, e.first = e.newSurvey(), e.options.Now(), true
	e.inspect()
}

// inspect reads the volumes. It reports whether the round that is under way, if one is, is outdated by what it found.
func (e *Engine) inspect() bool {
	changed := false
	for _, t := range e.tracked {
		if t.refresh() {
			changed = true
			e.classify(t)
		}
	}
	e.looked = e.options.Now()
	if changed {
		e.remember()
	}
	e.publish()
	return e.round != nil && e.round.signature != e.signature()
}

// classify decides what a change in a volume means.
func (e *Engine) classify(t *tracked) {
	switch {
	case t.broken != nil:
		level := slog.LevelWarn
		if t.broken.word == wordMissing || t.broken.word == wordTemporary {
			level = slog.LevelInfo
		}
		e.move(t, level, "certificate cannot be taken up", State(t.broken.word), t.broken.Error())
	case t.Digest == "":
		t.settle()
		e.move(t, slog.LevelInfo, "certificate is watched", Watching, "")
	case t.pending():
		if t.Pending != t.pair.digest {
			t.Pending, t.Since = t.pair.digest, e.options.Now()
		}
		if e.noticed.IsZero() {
			e.noticed = e.options.Now()
		}
		e.move(t, slog.LevelInfo, "certificate changed", Pending, "", "previous", string(t.Leaf))
	default: // as it was: after a restart of the agent, or because the change was taken back
		t.Pending, t.Since = "", time.Time{}
		e.move(t, slog.LevelInfo, "certificate is watched", Watching, "")
	}
}

// remember writes the memory down; what cannot be is said once.
func (e *Engine) remember() bool {
	for _, t := range e.tracked {
		if t.Digest != "" {
			e.memory[t.Name] = t.remembered
		}
	}
	err := e.memory.keep(e.config.State)
	if err != nil && e.config.State != "" {
		e.once("the memory cannot be written", err)
	}
	return err == nil
}

// signature tells one set of pending changes from another.
func (e *Engine) signature() string {
	var s strings.Builder
	for _, t := range e.tracked {
		if t.pending() {
			s.WriteString(t.Name + "=" + t.pair.digest + ";")
		}
	}
	return s.String()
}

// wanted is the pair that verification is about: the first that is pending, or else the first.
func (e *Engine) wanted() *pair {
	var first *pair
	for _, t := range e.tracked {
		if t.pending() {
			return t.pair
		}
		if first == nil {
			first = t.pair
		}
	}
	return first
}

// pause waits, and goes on watching meanwhile. It returns errOutdated when what is under way has become so, and the
// context's error at its end. A negative wait is without end.
func (e *Engine) pause(ctx context.Context, wait time.Duration) error {
	var over <-chan time.Time
	if wait >= 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		over = timer.C
	}
	for {
		due, err := e.wait(ctx, over)
		if !due {
			return err
		}
		outdated := e.inspect()
		if e.round == nil && e.signature() == "" && e.quiet == nil {
			e.noticed = time.Time{}
		}
		if outdated || e.round == nil && e.signature() != "" || e.round != nil && e.permitted() {
			return errOutdated
		}
	}
}

// wait waits until the volumes are due to be read, and returns false when it is over before.
func (e *Engine) wait(ctx context.Context, over <-chan time.Time) (due bool, err error) {
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-over:
			return false, nil
		case <-e.watch.events():
			if e.quiet == nil && e.round == nil {
				e.noticed = e.options.Now()
			}
			e.quiet = time.After(time.Duration(e.config.Debounce))
		case err := <-e.watch.errors():
			e.once("a watch failed, polling goes on", err)
		case <-e.quiet:
			e.quiet = nil
			return true, nil
		case <-e.poll.C:
			e.poll.Reset(e.pollWait())
			e.watch.ensure()
			return true, nil
		}
	}
}

func (e *Engine) pollWait() time.Duration { return e.jitter(time.Duration(e.config.Poll)) }

// once logs a fault the first time, and again only when it has become another one.
func (e *Engine) once(message string, err error) {
	if e.said == nil {
		e.said = map[string]string{}
	}
	if e.said[message] != err.Error() {
		e.said[message] = err.Error()
		e.options.Logger.Warn(message, "cause", err.Error())
	}
}

// served notes that the new leaves are on the wire, or that nobody can tell.
func (e *Engine) served(method spec.Method, endpoints int) {
	now := e.options.Now()
	state, outcome, message := Unverified, OutcomeUnverified, "method carried out, nowhere to verify"
	if endpoints > 0 {
		state, outcome, message = Served, OutcomeServed, "certificate is served"
		now = e.good // the looks after the first good one confirm it
	}
	took := now.Sub(e.round.began)
	e.count(method, outcome)
	if outcome == OutcomeServed {
		e.lock.Lock()
		e.status.LastServed, e.status.Took = now, took
		e.lock.Unlock()
	}
	for _, t := range e.tracked {
		if t.pending() {
			t.settle()
			e.move(t, slog.LevelInfo, message, state, "", "method", string(method), "outcome", string(outcome),
				"took", took.String(), "endpoints", endpoints)
		}
	}
	e.remember()
	e.round, e.noticed = nil, time.Time{}
	e.publish()
}
