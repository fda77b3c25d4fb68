package ledger

import (
	"fmt"
	"strings"
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
