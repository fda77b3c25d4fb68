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
	return terminal.WriteParts(w,
		terminal.Part{Title: "Why", Lines: e.Why}, terminal.Part{Title: "At the next renewal", Lines: e.Next},
		terminal.Part{Title: "Warnings", Lines: e.Warnings}, terminal.Part{Title: "Not seen", Lines: e.Unseen})
}
