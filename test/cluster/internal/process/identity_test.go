package process_test

import (
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/certwire/certwire/test/cluster/internal/process"
)

const (
	// sleeperVar turns a run of the test binary into a process that waits.
	sleeperVar = "CERTWIRE_TEST_SLEEPER"
	// grace is long enough for a busy machine; no test waits it out.
	grace = 30 * time.Second
)

func TestMain(m *testing.M) {
	if os.Getenv(sleeperVar) != "" {
		_, _ = io.Copy(io.Discard, os.Stdin) // until the test closes it
		return
	}
	os.Exit(m.Run())
}

func TestEndOrphan(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		recorded func(process.Identity) process.Identity
		ended    bool
	}{
		"the recorded process is ended": {
			recorded: func(id process.Identity) process.Identity { return id },
			ended:    true,
		},
		"a process with another start time is left alone": {
			recorded: func(id process.Identity) process.Identity { id.Start += "0"; return id },
		},
		"a process with another executable is left alone": {
			recorded: func(id process.Identity) process.Identity { id.Exe = "/usr/bin/etcd"; return id },
		},
		"an empty record ends nothing": {
			recorded: func(id process.Identity) process.Identity { return process.Identity{PID: id.PID} },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sleeper := startSleeper(t)
			id, err := process.Identify(sleeper.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			ended, err := process.EndOrphan(test.recorded(id), grace)
			if err != nil || ended != test.ended {
				t.Fatalf("EndOrphan returned %t, %v; want %t", ended, err, test.ended)
			}
			if id.Alive() == test.ended {
				t.Errorf("the process lives: %t", id.Alive())
			}
		})
	}
}

func TestIdentifyRefusesAnEndedProcess(t *testing.T) {
	t.Parallel()
	sleeper := startSleeper(t)
	pid := sleeper.Process.Pid
	if err := sleeper.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = sleeper.Wait()
	if id, err := process.Identify(pid); err == nil && id.Exe == sleeper.Path {
		t.Errorf("an ended process was identified: %+v", id)
	}
}

// startSleeper starts the test binary as a process that waits until the test ends.
func startSleeper(t *testing.T) *exec.Cmd {
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
	return sleeper
}
