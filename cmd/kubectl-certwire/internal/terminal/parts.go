package terminal

import (
	"fmt"
	"io"
)

// Part is a heading with its lines.
type Part struct {
	Title string
	Lines []string
}

// WriteParts writes those parts that have lines, as lists.
func WriteParts(w io.Writer, parts ...Part) error {
	for _, part := range parts {
		if len(part.Lines) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(w, "%s\n", part.Title); err != nil {
			return err
		}
		for _, line := range part.Lines {
			if _, err := fmt.Fprintf(w, "  - %s\n", line); err != nil {
				return err
			}
		}
	}
	return nil
}
