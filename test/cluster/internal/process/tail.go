package process

import (
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	// tailLines is how much of a log is shown when its component has failed.
	tailLines = 30
	// tailBytes bounds what is read for that.
	tailBytes = 64 << 10
)

// LogHas reports whether text is in the last part of the log.
func (p *Process) LogHas(text string) bool {
	end, err := readEnd(p.logFile)
	return err == nil && strings.Contains(end, text)
}

// tailText is the log's end as the last part of an error message.
func (p *Process) tailText() string {
	end, err := readEnd(p.logFile)
	if err != nil {
		return fmt.Sprintf(" (its log cannot be read: %v)", err)
	}
	lines := LastLines(end, tailLines)
	if len(lines) == 0 {
		return " (its log is empty)"
	}
	return fmt.Sprintf("; the end of its log:\n  %s", strings.Join(lines, "\n  "))
}

// LastLines returns the last n lines of text.
func LastLines(text string, n int) []string {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	return lines[max(0, len(lines)-n):]
}

// readEnd returns at most the last tailBytes of a file.
func readEnd(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("opening log: %w", err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return "", fmt.Errorf("reading the size of log: %w", err)
	}
	from := max(0, info.Size()-tailBytes)
	end, err := io.ReadAll(io.NewSectionReader(file, from, info.Size()-from))
	if err != nil {
		return "", fmt.Errorf("reading log: %w", err)
	}
	return string(end), nil
}
