package pods

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Process is the first process, on this machine, of one of a pod's containers, by its cgroup: the node is this machine.
func Process(p *corev1.Pod, container string) (int, error) {
	all := slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses)
	at := slices.IndexFunc(all, func(s corev1.ContainerStatus) bool { return s.Name == container })
	if at < 0 {
		return 0, fmt.Errorf("pod %s has no container %s", p.Name, container)
	}
	_, id, _ := strings.Cut(all[at].ContainerID, "://")
	if id == "" {
		return 0, fmt.Errorf("container %s of pod %s does not run: %+v", container, p.Name, all[at])
	}
	found, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return 0, fmt.Errorf("listing processes: %w", err)
	}
	var pids []int
	for _, path := range found {
		content, _ := os.ReadFile(path) // it may have ended
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && strings.Contains(string(content), id) {
			pids = append(pids, pid)
		}
	}
	if len(pids) == 0 {
		return 0, fmt.Errorf("container %s of pod %s has no process", container, p.Name)
	}
	return slices.Min(pids), nil
}
