package spec

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Signal is the name of a signal without its SIG.
type Signal string

// The signals that servers reload at. Those that end or stop a process by what they are for are not among them.
const (
	HUP   Signal = "HUP"
	USR1  Signal = "USR1"
	USR2  Signal = "USR2"
	WINCH Signal = "WINCH"
)

// Signals returns all of them.
func Signals() []Signal { return []Signal{HUP, USR1, USR2, WINCH} }

// ParseSignal reads a signal's name in any case, with or without its SIG.
func ParseSignal(value string) (Signal, error) {
	s := Signal(strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(value)), "SIG"))
	if !slices.Contains(Signals(), s) {
		return "", fmt.Errorf("is not one of %s", list(Signals()))
	}
	return s, nil
}

// maxProcess is the longest file name that Linux knows.
const maxProcess = 255

// ParseProcess reads a process' name: what ps shows as COMMAND, or the last part of the path that it was started by.
func ParseProcess(value string) (string, error) {
	name := strings.TrimSpace(value)
	switch {
	case name == "":
		return "", errors.New("is empty; it is a process' name, as in nginx")
	case len(name) > maxProcess:
		return "", fmt.Errorf("is longer than %d bytes", maxProcess)
	case strings.Trim(name, "0123456789") == "":
		return "", errors.New("is a number; a process is found by its name, as in nginx, since its number changes")
	case strings.ContainsRune(name, '/'):
		return "", errors.New("is a path; give its last part alone")
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", errors.New("has a control character")
	}
	return name, nil
}
