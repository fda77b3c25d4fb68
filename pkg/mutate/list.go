package mutate

import (
	"slices"
	"strings"

	"github.com/certwire/certwire/pkg/reload/spec"
)

// split reads one of Reloader's lists: items between commas, white space around them, empty ones dropped.
func split(list string) []string {
	var items []string
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// names reports whether a Reloader list names a Secret. Items are regular expressions anchored at both ends, exactly
// as Reloader builds them; one that does not compile, or that nobody would write, names nothing (stakater/Reloader, pkg/common/common.go).
func names(items []string, secret string) bool {
	for _, item := range items {
		if item == secret {
			return true
		}
		if isPlain(item) {
			continue
		}
		if re, err := spec.Expression("^" + item + "$"); err == nil && re.MatchString(secret) {
			return true
		}
	}
	return false
}

// isPlain is true for an item without regular-expression characters. A dot is one, but in a Secret's name it can only
// match itself or be over-broad, so it is left to the slow path.
func isPlain(item string) bool {
	return !strings.ContainsAny(item, `.\+*?()|[]{}^$`)
}

// appendItems adds ours behind the user's own text, which stays as it was to the byte.
func appendItems(user string, present bool, ours []string) string {
	joined := strings.Join(ours, ",")
	if !present {
		return joined
	}
	return user + "," + joined
}

// removeItems takes ours out again. The second result is false when nothing of the user's is left: the annotation was
// ours alone. When somebody re-ordered the list, items are taken out one by one and the rest is joined anew.
func removeItems(value string, ours []string) (string, bool) {
	if len(ours) == 0 {
		return value, true
	}
	joined := strings.Join(ours, ",")
	if value == joined {
		return "", false
	}
	if user, ok := strings.CutSuffix(value, ","+joined); ok {
		return user, true
	}
	rest := slices.DeleteFunc(split(value), func(item string) bool { return slices.Contains(ours, item) })
	return strings.Join(rest, ","), len(rest) > 0
}
