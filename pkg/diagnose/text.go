package diagnose

import (
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds on texts, in bytes.
const (
	maxMessage = 1024 // of a whole diagnosis
	maxKept    = 600  // of what somebody else wrote
	maxName    = 253  // of a name, which may be longer in an object that nobody validated
)

var (
	// ephemeral is the address from which a connection was made: another one at each try (net.OpError.Error).
	ephemeral = regexp.MustCompile(`\b(read|write|dial) (tcp|udp)([46]?) \S{1,64}->`)
	// elapsed is the rest of a wait, which changes at each look.
	elapsed = regexp.MustCompile(`^Waiting \S{1,32} before accepting`)
)

// clean makes one line of what others wrote, at most so many bytes: what cannot be shown becomes a space, and what changes
// with every try goes.
func clean(text string, most int) string {
	if len(text) > 4*most {
		text = text[:4*most]
	}
	text = strings.ToValidUTF8(text, " ")
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || !unicode.IsPrint(r)
	}), " ")
	text = ephemeral.ReplaceAllString(text, "$1 $2$3 ")
	text = elapsed.ReplaceAllString(text, "Waiting before accepting")
	return clip(text, most)
}

// clip shortens a line to so many bytes.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	const more = "..."
	text = text[:most-len(more)]
	for len(text) > 0 {
		if r, size := utf8.DecodeLastRuneInString(text); r != utf8.RuneError || size > 1 {
			break
		}
		text = text[:len(text)-1]
	}
	return strings.TrimRight(text, " ") + more
}

// sentence takes the full stop off, for a text that goes on.
func sentence(text string) string { return strings.TrimRight(text, ". ") }

// with joins what happened and what was said of it.
func with(what, said string) string {
	if said = sentence(said); said == "" {
		return what
	}
	return what + ": " + said
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
