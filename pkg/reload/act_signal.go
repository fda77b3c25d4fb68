package reload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/certwire/certwire/pkg/reload/spec"
)

var signals = map[spec.Signal]syscall.Signal{
	spec.HUP: syscall.SIGHUP, spec.USR1: syscall.SIGUSR1, spec.USR2: syscall.SIGUSR2, spec.WINCH: syscall.SIGWINCH,
}

// actSignal sends one signal to one process, after every check that a signal which is taken wrongly calls for.
func (e *Engine) actSignal(_ context.Context) error {
	p, err := findProcess(e.options.Proc, e.spec.Process, os.Getpid())
	if err != nil {
		return err
	}
	signal := signals[e.spec.Signal]
	age, err := p.age(e.options.Proc)
	if err != nil {
		return err
	}
	// A negative age is that of a container whose /proc/uptime is its own, not the machine's; nothing is known then.
	if grace := time.Duration(e.config.Grace); age >= 0 && age < grace {
		return &laterError{grace - age, fmt.Errorf("process %s has been running for %s, not yet for %s", p, age.Round(time.Millisecond), grace)}
	}
	// It is asked again, since it may be about to: a HAProxy master that reloads executes itself anew, and catches nothing
	// until it has read its configuration (src/haproxy.c, mworker_reload).
	if err := p.catches(int(signal)); err != nil {
		return fmt.Errorf("SIG%s is not sent: %w", e.spec.Signal, err)
	}
	if me := os.Geteuid(); me != 0 && me != p.real && me != p.saved {
		return final(fmt.Errorf("SIG%s is not sent: process %s runs as user %d and the agent as user %d", e.spec.Signal, p, p.real, me))
	}
	// The handle is of the process, not of its number (pidfd_open(2)): checked once more after it is open, it cannot come
	// to mean another process.
	handle, err := os.FindProcess(p.pid)
	if err != nil {
		return err
	}
	defer handle.Release() //nolint:errcheck // there is nothing to do about it
	if again, err := readProcess(e.options.Proc, p.pid); err != nil || again.started != p.started {
		return fmt.Errorf("process %s: %w", p, errGone)
	}
	err = handle.Signal(signal)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		return final(fmt.Errorf("sending SIG%s to process %s: %w", e.spec.Signal, p, err))
	}
	if err != nil {
		return fmt.Errorf("sending SIG%s to process %s: %w", e.spec.Signal, p, err)
	}
	return nil
}
