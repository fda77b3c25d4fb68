package lint

import (
	"fmt"
	"io"
	"strings"
)

// writeGitHub writes workflow commands, which GitHub shows at the line of a pull request (docs.github.com, "Workflow
// commands for GitHub Actions").
func writeGitHub(w io.Writer, r *Report) error {
	command := map[Severity]string{Refused: "error", Warning: "warning", Note: "notice"}
	for _, p := range r.Problems {
		if err := annotate(w, "error", p.File, p.Line, "certwire: "+InputRule, p.Text); err != nil {
			return err
		}
	}
	for _, f := range r.Findings {
		title, text := "certwire: "+f.Rule, f.Kind+"/"+f.Name+": "+f.Text+". See "+f.Docs
		if err := annotate(w, command[f.Severity], f.File, f.Line, title, text); err != nil {
			return err
		}
	}
	return nil
}

// What would end a command's message or one of its properties (actions/toolkit, packages/core/src/command.ts).
var (
	messageEscapes  = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	propertyEscapes = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func annotate(w io.Writer, command, file string, line int, title, text string) error {
	_, err := fmt.Fprintf(w, "::%s file=%s,line=%d,title=%s::%s\n",
		command, propertyEscapes.Replace(file), max(line, 1), propertyEscapes.Replace(title), messageEscapes.Replace(text))
	return err
}
