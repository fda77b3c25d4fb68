package manifest

import "strings"

// chunk is the text of one YAML document and the line of the file that it begins at, counted from 1.
type chunk struct {
	line int
	text string
}

// split takes a stream of YAML documents apart (YAML 1.2, section 9.2). What follows a marker on its own line belongs to
// the document. Doing this by hand keeps one broken document from hiding those behind it.
func split(text string) []chunk {
	var out []chunk
	var lines []string
	begin, number := 1, 0
	flush := func(next int) {
		if !isBlank(lines) {
			out = append(out, chunk{begin, strings.Join(lines, "\n") + "\n"})
		}
		lines, begin = nil, next
	}
	for line := range strings.SplitSeq(text, "\n") {
		number++
		line = strings.TrimSuffix(line, "\r")
		switch marker, rest := markerOf(line); marker {
		case "---":
			flush(number)
			lines = append(lines, rest)
		case "...":
			flush(number + 1)
		default:
			lines = append(lines, line)
		}
	}
	flush(number)
	return out
}

// markerOf recognises a line that separates documents, and what stands behind the marker, indented as it was.
func markerOf(line string) (marker, rest string) {
	for _, m := range []string{"---", "..."} {
		after, ok := strings.CutPrefix(line, m)
		if ok && (after == "" || after[0] == ' ' || after[0] == '\t') {
			return m, "   " + after
		}
	}
	return "", ""
}

// isBlank is true for nothing but space, comments and directives.
func isBlank(lines []string) bool {
	for _, line := range lines {
		if t := strings.TrimSpace(line); t != "" && t[0] != '#' && line[0] != '%' {
			return false
		}
	}
	return true
}
