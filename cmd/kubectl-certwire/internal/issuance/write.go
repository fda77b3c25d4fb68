package issuance

import (
	"fmt"
	"io"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/terminal"
)

// Write writes an explanation for people.
func Write(w io.Writer, e *Explanation, paint terminal.Painter) error {
	verdict := paint.Yellow("is being issued")
	switch {
	case e.Stuck:
		verdict = paint.Red("is stuck")
	case e.Reason == issued:
		verdict = paint.Green("is issued")
	case e.Reason == deleting:
		verdict = "is being deleted"
	}
	if _, err := fmt.Fprintf(w, "%s %s %s\n", paint.Bold(e.Object), verdict, paint.Faint("["+e.Reason+"]")); err != nil {
		return err
	}
	one := func(text string) []string {
		if text == "" {
			return nil
		}
		return []string{text}
	}
	return terminal.WriteParts(w,
		terminal.Part{Title: "Why", Lines: e.Why}, terminal.Part{Title: "What helps", Lines: one(e.Next)},
		terminal.Part{Title: "Tried again", Lines: one(e.Retried)}, terminal.Part{Title: "Not seen", Lines: e.Unseen})
}
