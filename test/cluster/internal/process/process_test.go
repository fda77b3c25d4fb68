package process_test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/certwire/certwire/test/cluster/internal/process"
)

func TestStop(t *testing.T) {
	t.Parallel()
	p := start(t, "sleep", "1000")
	if !p.Identity.Alive() {
		t.Fatalf("the child is not known by %+v", p.Identity)
	}
	if !p.Stop(grace) {
		t.Error("SIGTERM was not enough for a child that does not handle it")
	}
	if p.Identity.Alive() {
		t.Error("the child lives on")
	}
}

func TestStopEndsWhatIgnoresSIGTERM(t *testing.T) {
	t.Parallel()
	p := start(t, "sh", "-c", "trap '' TERM; echo ready; read -r line < /dev/zero || while :; do sleep 1000; done")
	for !p.LogHas("ready") {
		select {
		case <-p.Done():
			t.Fatal(p.Failure())
		default:
		}
	}
	if p.Stop(0) {
		t.Error("a child that ignores SIGTERM ended by it")
	}
}

func TestFailureShowsTheLog(t *testing.T) {
	t.Parallel()
	p := start(t, "sh", "-c", "echo first; echo 'cannot listen' >&2; exit 3")
	<-p.Done()
	got := p.Failure().Error()
	for _, want := range []string{"sh ended", "exit status 3", "first\n  cannot listen"} {
		if !strings.Contains(got, want) {
			t.Errorf("the failure does not say %q:\n%s", want, got)
		}
	}
}

func TestLastLines(t *testing.T) {
	t.Parallel()
	if got := process.LastLines("a\nb\nc\n", 2); !slices.Equal(got, []string{"b", "c"}) {
		t.Errorf("got %q", got)
	}
	if got := process.LastLines("\n", 2); got != nil {
		t.Errorf("got %q, want nothing", got)
	}
}

func start(t *testing.T, name string, args ...string) *process.Process {
	t.Helper()
	binary, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p, err := process.Start(process.Spec{
		Name: name, Binary: binary, Args: args, Dir: dir, LogFile: filepath.Join(dir, "log"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(0) })
	return p
}
