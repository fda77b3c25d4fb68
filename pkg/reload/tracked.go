package reload

import (
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/certwire/certwire/pkg/probe"
)

// tracked is one certificate and what the engine knows of it.
type tracked struct {
	Certificate
	remembered

	// pair is what was last read in good order; nil before that.
	pair *pair
	// broken is what is wrong with the volume right now; nil if nothing is.
	broken *readError
	// before are leaves that were taken up earlier, the newest last.
	before []probe.Fingerprint

	state   State
	cause   string
	changed time.Time
}

// maxBefore bounds what is remembered of old leaves. Two are enough for a server that is behind by one renewal.
const maxBefore = 4

// pending reports that the volume holds something that the server was not made to take up.
func (t *tracked) pending() bool {
	return t.pair != nil && t.broken == nil && t.Digest != "" && t.pair.digest != t.Digest
}

// renewed reports that the leaf itself is another one, and not only what goes with it.
func (t *tracked) renewed() bool { return t.pair != nil && t.pair.leaf.Fingerprint != t.Leaf }

// previous are leaves that the server may still serve.
func (t *tracked) previous() []probe.Fingerprint {
	if t.pending() && t.renewed() {
		return append(slices.Clip(t.before), t.Leaf)
	}
	return t.before
}

// settle notes that the server has what the volume holds.
func (t *tracked) settle() {
	if t.Leaf != "" && t.renewed() {
		t.before = append(t.before, t.Leaf)
		t.before = t.before[max(0, len(t.before)-maxBefore):]
	}
	t.Digest, t.Leaf, t.NotAfter = t.pair.digest, t.pair.leaf.Fingerprint, t.pair.leaf.NotAfter
	t.Pending, t.Since = "", time.Time{}
}

// refresh reads the volume. It reports whether what is there differs from what was there before.
func (t *tracked) refresh() bool {
	p, err := read(t.Certificate)
	var broken *readError
	if err != nil && !errors.As(err, &broken) {
		broken = &readError{wordUnreadable, err}
	}
	was, wasBroken := t.pair, t.broken
	t.broken = broken
	if broken != nil {
		return wasBroken == nil || wasBroken.word != broken.word
	}
	t.pair = &p
	return was == nil || was.digest != p.digest || wasBroken != nil
}

// move changes the state, and logs it once: a state that is there already is not logged again.
func (e *Engine) move(t *tracked, level slog.Level, message string, state State, cause string, attributes ...any) {
	if t.state == state && t.cause == cause {
		return
	}
	t.state, t.cause, t.changed = state, cause, e.options.Now()
	all := append([]any{"certificate", t.Name, "state", string(state)}, attributes...)
	if t.pair != nil {
		all = append(all, "fingerprint", string(t.pair.leaf.Fingerprint), "serial", t.pair.leaf.Serial, "notAfter", t.pair.leaf.NotAfter.UTC())
	}
	if cause != "" {
		all = append(all, "cause", cause)
	}
	e.options.Logger.Log(e.context, level, message, all...)
	e.publish()
}
