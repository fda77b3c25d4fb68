package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// process is the first process, on this machine, of one of the pod's containers: the node is this machine.
func (r *rig) process(container string) int {
	r.t.Helper()
	now := r.status()
	all := slices.Concat(now.Status.InitContainerStatuses, now.Status.ContainerStatuses)
	at := slices.IndexFunc(all, func(s corev1.ContainerStatus) bool { return s.Name == container })
	if at < 0 {
		r.t.Fatalf("the pod has no container %s", container)
	}
	_, id, _ := strings.Cut(all[at].ContainerID, "://")
	if id == "" {
		r.t.Fatalf("container %s does not run: %+v", container, all[at])
	}
	found, _ := filepath.Glob("/proc/[0-9]*/cgroup")
	var pids []int
	for _, path := range found {
		content, _ := os.ReadFile(path) // it may have ended
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && strings.Contains(string(content), id) {
			pids = append(pids, pid)
		}
	}
	if len(pids) == 0 {
		r.t.Fatalf("container %s has no process", container)
	}
	return slices.Min(pids)
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
