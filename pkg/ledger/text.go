package ledger

import (
	"fmt"
	"strings"
	"time"
)

// short names a set for people: the first names, and how many more there are.
func short(names []string) string {
	const shown = 3
	text := strings.Join(names[:min(len(names), shown)], " ")
	if len(text) > 560 {
		text = text[:560]
	}
	if len(names) > shown {
		text += fmt.Sprintf(" +%d", len(names)-shown)
	}
	return text
}

// minute writes a time to the minute that is not before it, in UTC.
func minute(t time.Time) string {
	if up := t.Truncate(time.Minute); !up.Equal(t) {
		t = up.Add(time.Minute)
	}
	return t.UTC().Format("2006-01-02 15:04 MST")
}
