package doctor

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/terminal"
)

// State is how a check ended.
type State string

// The states.
const (
	OK   State = "ok"
	Warn State = "warn" // it works less than it could, or could not be looked at
	Fail State = "fail"
)

// Finding is the outcome of one check.
type Finding struct {
	Check string `json:"check"`
	State State  `json:"state"`
	Text  string `json:"text"`
	// Remedy is a command; empty where there is nothing to do.
	Remedy string `json:"remedy,omitempty"`
}

// ExitCode is 1 when a check failed, and else 0.
func ExitCode(findings []Finding) int {
	for _, f := range findings {
		if f.State == Fail {
			return 1
		}
	}
	return 0
}

// Write writes a line for each finding, and its remedy below.
func Write(w io.Writer, findings []Finding) error {
	paint := terminal.For(w)
	colour := map[State]func(string) string{OK: paint.Green, Warn: paint.Yellow, Fail: paint.Red}
	for _, f := range findings {
		state := colour[f.State](fmt.Sprintf("%-4s", f.State))
		if _, err := fmt.Fprintf(w, "%s  %s: %s\n", state, f.Check, f.Text); err != nil {
			return err
		}
		if f.Remedy != "" {
			if _, err := fmt.Fprintf(w, "      %s\n", paint.Bold(f.Remedy)); err != nil {
				return err
			}
		}
	}
	return nil
}

// WriteJSON writes the same for programs.
func WriteJSON(w io.Writer, findings []Finding) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(findings)
}
