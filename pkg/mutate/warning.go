package mutate

import (
	"fmt"
	"strings"
	"unicode"
)

// warner collects warnings.
type warner []string

func (w *warner) say(format string, args ...any) {
	*w = append(*w, lines(fmt.Sprintf(format, args...))...)
}

// maxLine is the longest warning that Kubernetes asks for (k8s.io/api admission/v1, AdmissionResponse.Warnings).
const (
	maxLine = 120
	maxWord = 100
)

// lines breaks a warning at its words, so that none of it is cut off. A word is shortened that nobody would read, and what
// is no character to print is replaced.
func lines(text string) []string {
	var out []string
	var line []rune
	for word := range strings.FieldsSeq(text) {
		runes := []rune(strings.Map(printable, word))
		if len(runes) > maxWord {
			runes = append(runes[:maxWord-3:maxWord-3], '.', '.', '.')
		}
		if len(line) > 0 && len(line)+1+len(runes) > maxLine {
			out = append(out, string(line))
			line = []rune{' '}
		}
		if len(line) > 0 {
			line = append(line, ' ')
		}
		line = append(line, runes...)
	}
	return append(out, string(line))
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return '?'
}

// unjoin lists the errors that errors.Join put together.
func unjoin(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, unjoin(e)...)
		}
		return all
	}
	return []error{err}
}
