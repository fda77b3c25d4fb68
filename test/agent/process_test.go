package agent

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/certwire/certwire/test/pods"
)

// process is the first process, on this machine, of one of the pod's containers.
func (r *rig) process(container string) int {
	r.t.Helper()
	pid, err := pods.Process(r.status(), container)
	r.must(err)
	return pid
}

// signal sends one to a container's process.
func (r *rig) signal(container string, s syscall.Signal) {
	r.t.Helper()
	process, err := os.FindProcess(r.process(container))
	r.must(err)
	r.must(process.Signal(s))
}

// procStatus are the lines of /proc/<pid>/status (proc(5)).
func procStatus(t *testing.T, pid int) map[string]string {
	t.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]string{}
	for line := range strings.Lines(string(content)) {
		key, value, _ := strings.Cut(line, ":")
		lines[key] = strings.TrimSpace(value)
	}
	return lines
}
