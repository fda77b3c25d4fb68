package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// version is set at build time (-ldflags "-X main.version=v1.2.3").
var version = ""

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := newCommand().ExecuteContext(ctx)
	cancel()
	var outcome *outcomeError
	switch {
	case errors.As(err, &outcome):
		os.Exit(outcome.code)
	case err != nil:
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(failed)
	}
}

// failed is the exit code of a command that could not do its work.
const failed = 2

// outcomeError ends a command that has said all there is to say.
type outcomeError struct{ code int }

func (e *outcomeError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// outcome is nil for success.
func outcome(code int) error {
	if code == 0 {
		return nil
	}
	return &outcomeError{code}
}

func versionString() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
