package reload

import (
	"strconv"
	"strings"
	"time"

	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/pkg/reload/spec"
)

// permits reports whether a downward API file names a leaf. The file holds all annotations, each as key="value" with
// the value quoted as Go does (kubernetes pkg/fieldpath/fieldpath.go, FormatMap), or the one annotation's value alone.
func permits(file []byte, leaf probe.Fingerprint) bool {
	text := strings.TrimSpace(string(file))
	if !strings.Contains(text, "=") {
		return names(text, leaf)
	}
	for line := range strings.SplitSeq(text, "\n") {
		if quoted, found := strings.CutPrefix(line, spec.DeliverKey+"="); found {
			value, err := strconv.Unquote(quoted)
			return err == nil && names(value, leaf)
		}
	}
	return false
}

// names reads fingerprints in either case, with or without colons.
func names(value string, leaf probe.Fingerprint) bool {
	for word := range strings.SplitSeq(value, ",") {
		if strings.ToLower(strings.ReplaceAll(strings.TrimSpace(word), ":", "")) == string(leaf) && leaf != "" {
			return true
		}
	}
	return false
}

// aloneAt is when the agent acts without a permit: a while after it began to wait, plus a random part so that the
// replicas do not restart together. Of the time that the certificate in use has left, half may go into waiting and a
// quarter into spreading, so a quarter of it is left when the last replica restarts. With no time left it is at once.
// random is from 0 to 1; a zero end means that nothing is known of the certificate in use.
func aloneAt(since, end time.Time, deadline, spread time.Duration, random float64) time.Time {
	if !end.IsZero() {
		left := max(end.Sub(since), 0)
		deadline, spread = min(deadline, left/2), min(spread, left/4)
	}
	return since.Add(deadline + time.Duration(random*float64(spread)))
}
