package rundir_test

import (
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/certwire/certwire/test/cluster/internal/process"
	"github.com/certwire/certwire/test/cluster/internal/rundir"
)

// sleeperVar turns a run of the test binary into a process that waits.
const sleeperVar = "CERTWIRE_TEST_SLEEPER"

func TestMain(m *testing.M) {
	if os.Getenv(sleeperVar) != "" {
		_, _ = io.Copy(io.Discard, os.Stdin) // until the test closes it
		return
	}
	os.Exit(m.Run())
}

func TestCreateCleansUpAfterACrash(t *testing.T) {
	t.Parallel()
	ours, foreign := startSleeper(t), startSleeper(t)
	root := t.TempDir()
	crashed := create(t, root)
	add(t, crashed, "ours", ours)
	// The id now belongs to a process that started at another time.
	reused := foreign
	reused.Start += "0"
	add(t, crashed, "reused", reused)
	crash(t, crashed)

	next := create(t, root)

	if ours.Alive() {
		t.Error("a process of the crashed run lives on")
	}
	if !foreign.Alive() {
		t.Error("a process that only has a recorded process id was ended")
	}
	if exists(t, crashed.Path) {
		t.Error("the folder of the crashed run is still there")
	}
	if !exists(t, next.Path) {
		t.Error("the new run has no folder")
	}
}

func TestCreateLeavesALiveRunAlone(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	live := create(t, root)
	sleeper := startSleeper(t)
	add(t, live, "sleeper", sleeper)

	create(t, root)

	if !sleeper.Alive() || !exists(t, live.Path) {
		t.Error("a live run was cleaned up")
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	kept, removed := create(t, root), create(t, root)
	if err := kept.Close(true); err != nil {
		t.Fatal(err)
	}
	if err := removed.Close(false); err != nil {
		t.Fatal(err)
	}
	create(t, root)
	if !exists(t, kept.Path) {
		t.Error("a kept folder was removed")
	}
	if exists(t, removed.Path) {
		t.Error("a folder that was not kept is still there")
	}
}

// crash does to a run what the end of its process does: its lock is released and
// its folder stays. A copy of the record stands in for the one that Close removes.
func crash(t *testing.T, dir *rundir.Dir) {
	t.Helper()
	record := filepath.Join(dir.Path, "pids.json")
	content, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.Close(true); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(record, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, root string) *rundir.Dir {
	t.Helper()
	dir, err := rundir.Create(t.Context(), root, log.New(t.Output(), "", 0))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func add(t *testing.T, dir *rundir.Dir, name string, id process.Identity) {
	t.Helper()
	if err := dir.Add(name, id); err != nil {
		t.Fatal(err)
	}
}

func exists(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Stat(path)
	return err == nil
}

// startSleeper starts the test binary as a process that waits until the test ends.
func startSleeper(t *testing.T) process.Identity {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	sleeper := exec.Command(exe)
	sleeper.Env = append(os.Environ(), sleeperVar+"=1")
	stdin, err := sleeper.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = sleeper.Wait()
	})
	id, err := process.Identify(sleeper.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
