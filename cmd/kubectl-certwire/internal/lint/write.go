package lint

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/terminal"
)

// Formats are the ways to write a report.
var Formats = []string{"human", "json", "sarif", "github"}

// Write writes a report in one of the Formats. The version is certwire's own.
func Write(w io.Writer, r *Report, format, version string) error {
	switch format {
	case "human":
		return writeHuman(w, r)
	case "json":
		return encode(w, r)
	case "sarif":
		return encode(w, newSARIF(r, version))
	case "github":
		return writeGitHub(w, r)
	default:
		return fmt.Errorf("format %q is none of %s", format, strings.Join(Formats, ", "))
	}
}

func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// writeHuman writes one finding a line, as compilers do: editors find the place.
func writeHuman(w io.Writer, r *Report) error {
	paint := terminal.For(w)
	colour := map[Severity]func(string) string{Refused: paint.Red, Warning: paint.Yellow, Note: paint.Faint}
	for _, p := range r.Problems {
		if _, err := fmt.Fprintf(w, "%s: %s: %s [%s]\n", place(p.File, p.Line), paint.Red("unusable"), p.Text, InputRule); err != nil {
			return err
		}
	}
	for _, f := range r.Findings {
		if _, err := fmt.Fprintf(w, "%s %s/%s: %s: %s %s\n",
			place(f.File, f.Line), f.Kind, f.Name, colour[f.Severity](string(f.Severity)), f.Text, paint.Faint("["+f.Rule+"]")); err != nil {
			return err
		}
	}
	return nil
}

func place(file string, line int) string {
	if line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, line)
}

// Summary says how it went, in one line.
func (r *Report) Summary() string {
	parts := []string{count(r.Objects, "object")}
	for _, p := range []struct {
		n    int
		what string
	}{{len(r.Problems), "unusable document"}, {r.Count(Refused), "error"}, {r.Count(Warning), "warning"}, {r.Count(Note), "note"}} {
		if p.n > 0 {
			parts = append(parts, count(p.n, p.what))
		}
	}
	if len(parts) == 1 {
		parts = append(parts, "nothing to say")
	}
	return strings.Join(parts, ", ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
