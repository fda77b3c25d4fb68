package cgroup

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

func TestRemoveEndsFrozenProcesses(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("cgroups are root's")
	}
	name := fmt.Sprintf("certwire-test-%d", os.Getpid())
	if err := Create(name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = Remove(name, 0) })
	all, err := hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	sleep := exec.CommandContext(t.Context(), "sleep", "600")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- sleep.Wait() }()
	frozen := false
	for _, h := range all {
		dir := filepath.Join(h.path, name)
		for file, text := range map[string]string{"freezer.state": "FROZEN", "cgroup.freeze": "1"} { // version 1, version 2
			if _, err := os.Stat(filepath.Join(dir, file)); err != nil || !h.controls {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, procs), []byte(strconv.Itoa(sleep.Process.Pid)), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			frozen = true
		}
	}
	if !frozen {
		_ = sleep.Process.Kill()
		t.Skip("this machine freezes no processes")
	}
	if n, err := Remove(name, time.Minute); err != nil || n != 1 {
		t.Errorf("%d processes were ended: %v", n, err)
	}
	<-ended
}
