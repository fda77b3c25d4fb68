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

// stopWithStdin returns a context that ends when nothing more can be read from
// stdin, which is when the process at the other end has closed it or died.
func stopWithStdin(ctx context.Context, stdin io.Reader) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		cancel(errStdinClosed)
	}()
	return ctx
}

// stopWithParent returns a context that ends when the go command that runs this
// one ends: 'go run' does not pass on SIGTERM, so ending it would otherwise leave
// the cluster behind. Any other parent may end as it likes.
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
