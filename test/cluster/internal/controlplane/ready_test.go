package controlplane

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certwire/certwire/test/cluster/internal/process"
)

var errNotYet = errors.New("connection refused")

func TestWaitUntilReady(t *testing.T) {
	t.Parallel()
	asked := 0
	err := waitUntil(t.Context(), shell(t, "exec sleep 1000"), time.Hour, func(context.Context) error {
		asked++
		if asked < 3 {
			return errNotYet
		}
		return nil
	})
	if err != nil || asked != 3 {
		t.Errorf("got %v after asking %d times, want success at the third", err, asked)
	}
}

func TestWaitUntilGivesUp(t *testing.T) {
	t.Parallel()
	stop := errors.New("interrupted")
	stopped, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	tests := map[string]struct {
		ctx     context.Context
		script  string
		timeout time.Duration
		says    string
	}{
		"when the process ends, and shows its log": {t.Context(), "echo cannot listen; exit 7", time.Hour, "cannot listen"},
		"when the command is to stop":              {stopped, "exec sleep 1000", time.Hour, stop.Error()},
		"when time is up, and says what was wrong": {t.Context(), "exec sleep 1000", time.Nanosecond, errNotYet.Error()},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := waitUntil(test.ctx, shell(t, test.script), test.timeout, func(context.Context) error { return errNotYet })
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want it to say %q", err, test.says)
			}
		})
	}
}

// shell starts a script as if it were a component.
func shell(t *testing.T, script string) *process.Process {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p, err := process.Start(process.Spec{
		Name: "sh", Binary: sh, Args: []string{"-c", script}, Dir: dir, LogFile: filepath.Join(dir, "log"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(0) })
	return p
}
