package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// errStdinClosed and errGoEnded are reasons to stop, beside signals.
var (
	errStdinClosed = errors.New("standard input was closed")
	errGoEnded     = errors.New("the go command that ran this has ended")
)

// stopWithStdin returns a context that ends when the process at the other end of
// stdin closes it or dies.
func stopWithStdin(ctx context.Context, stdin io.Reader) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		cancel(errStdinClosed)
	}()
	return ctx
}

// stopWithParent returns a context that ends when the go command that runs this one
// does: 'go run' passes no SIGTERM on. Any other parent may end as it likes.
func stopWithParent(ctx context.Context) context.Context {
	parent := os.Getppid()
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", parent))
	if err != nil || filepath.Base(exe) != "go" {
		return ctx
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		ticker := time.NewTicker(250 * time.Millisecond)
		defer ticker.Stop()
		for os.Getppid() == parent {
			<-ticker.C
		}
		cancel(errGoEnded)
	}()
	return ctx
}
