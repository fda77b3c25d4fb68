package explain

import (
	"fmt"
	"io"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/terminal"
)

// Write writes an explanation for people.
func Write(w io.Writer, e *Explanation, paint terminal.Painter) error {
	verdict := paint.Yellow("is not enrolled")
	if e.Enrolled {
		verdict = paint.Green("is enrolled")
	}
	if _, err := fmt.Fprintf(w, "%s %s %s\n", paint.Bold(e.Object), verdict, paint.Faint("["+e.Reason+"]")); err != nil {
		return err
	}
	for _, part := range []struct {
		title string
		lines []string
	}{{"Why", e.Why}, {"At the next renewal", e.Next}, {"Warnings", e.Warnings}, {"Not seen", e.Unseen}} {
		if len(part.lines) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(w, "%s\n", part.title); err != nil {
			return err
		}
		for _, line := range part.lines {
			if _, err := fmt.Fprintf(w, "  - %s\n", line); err != nil {
				return err
			}
		}
	}
	return nil
}
