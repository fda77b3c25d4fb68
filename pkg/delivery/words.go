package delivery

import (
	"slices"
	"strings"

	"github.com/certwire/certwire/pkg/probe"
)

// awaitPrefix goes before the fingerprint of a leaf that a pod may look at, but not yet restart for: the annotation's
// change has the kubelet bring it, and the agent does what does not need a permit. No agent takes the word for a permit.
const awaitPrefix = "await-"

// permitted reports whether the annotation certwire.dev/deliver permits a leaf.
func permitted(value string, leaf probe.Fingerprint) bool {
	return slices.Contains(strings.Split(value, ","), string(leaf))
}

// announced reports whether the annotation tells of a leaf, permitted or not.
func announced(value string, leaf probe.Fingerprint) bool {
	return permitted(value, leaf) || slices.Contains(strings.Split(value, ","), awaitPrefix+string(leaf))
}

// withWord is the annotation's new value: the word for this leaf, and those of the pod's other certificates that are still
// worth something. What is older than that goes.
func withWord(value string, leaf probe.Fingerprint, permit bool, others []probe.Fingerprint) string {
	var words []string
	for word := range strings.SplitSeq(value, ",") {
		fingerprint := probe.Fingerprint(strings.TrimPrefix(word, awaitPrefix))
		if fingerprint != leaf && slices.Contains(others, fingerprint) {
			words = append(words, word)
		}
	}
	word := string(leaf)
	if !permit {
		word = awaitPrefix + word
	}
	words = append(words, word)
	slices.Sort(words)
	return strings.Join(slices.Compact(words), ",")
}

// withWordAgain is a value that says nothing else than withWord's, and differs from what was there: the kubelet looks at a pod
// that has changed.
func withWordAgain(value string, leaf probe.Fingerprint, permit bool, others []probe.Fingerprint) string {
	next := withWord(value, leaf, permit, others)
	if next != value {
		return next
	}
	if permit {
		return next + "," + string(leaf)
	}
	return next + "," + awaitPrefix + string(leaf)
}

// twice reports whether a leaf's word has been written a second time.
func twice(value string, leaf probe.Fingerprint) bool {
	n := 0
	for word := range strings.SplitSeq(value, ",") {
		if strings.TrimPrefix(word, awaitPrefix) == string(leaf) {
			n++
		}
	}
	return n > 1
}
