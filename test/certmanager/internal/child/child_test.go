package child

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAFailureTellsTheLogsEnd(t *testing.T) {
	t.Parallel()
	p, err := Start("sh", exec.Command("/bin/sh", "-c", "echo out; echo err >&2; exit 3"), filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	for _, want := range []string{"sh ended: exit status 3", "  out\n  err"} {
		if text := p.Failure().Error(); !strings.Contains(text, want) {
			t.Errorf("the message does not say %q: %s", want, text)
		}
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log")
	p, err := Start("sleep", exec.Command("/bin/sleep", "3600"), log)
	if err != nil {
		t.Fatal(err)
	}
	p.Stop(time.Minute)
	select {
	case <-p.Done():
	default:
		t.Error("it has not ended")
	}
	p.Stop(time.Minute) // a second time is no error
	if _, err := Start("nothing", exec.Command("/nonexistent"), log); err == nil {
		t.Error("a program that does not exist was started")
	}
}
