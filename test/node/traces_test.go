package node

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/certwire/certwire/test/harness"
)

// traces are what a running node leaves on the machine while it runs.
type traces struct {
	// folder is the run's.
	folder string
	// links are the host's ends of the pods' networks.
	links []string
	// The rest is what the run has noted of itself.
	Cgroup, Bridge string
	Children       []struct {
		Name, Exe string
		PID       int
	}
}

// tracesOf reads those of c as they are now.
func tracesOf(c *harness.Cluster) (traces, error) {
	t := traces{folder: filepath.Dir(c.Kubeconfig)}
	content, err := os.ReadFile(filepath.Join(t.folder, "pids.json"))
	if err != nil {
		return t, fmt.Errorf("reading what the run has noted: %w", err)
	}
	if err := json.Unmarshal(content, &t); err != nil {
		return t, fmt.Errorf("reading what the run has noted: %w", err)
	}
	if t.Cgroup == "" || t.Bridge == "" {
		return t, fmt.Errorf("the run has noted no cgroup or no bridge: %s", content)
	}
	ports, err := filepath.Glob("/sys/class/net/" + t.Bridge + "/brif/*")
	for _, port := range ports {
		t.links = append(t.links, filepath.Base(port))
	}
	return t, err
}

// left returns what is still there, in words.
func (t traces) left() []string {
	var found []string
	note := func(what string, there bool) {
		if there {
			found = append(found, what)
		}
	}
	for _, link := range append(t.links, t.Bridge) {
		note("network interface "+link, exists("/sys/class/net/"+link))
	}
	groups, _ := filepath.Glob("/sys/fs/cgroup/*/" + t.Cgroup)
	for _, group := range append(groups, "/sys/fs/cgroup/"+t.Cgroup) {
		note("cgroup "+group, exists(group))
	}
	for _, child := range t.Children {
		exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", child.PID))
		note("process "+child.Name, exe == child.Exe && exe != "")
	}
	for _, pid := range t.processes() {
		note(fmt.Sprintf("process %d of a pod", pid), true)
	}
	mounts, _ := filepath.Glob("/proc/[0-9]*/mountinfo")
	for _, path := range mounts {
		content, _ := os.ReadFile(path) // it may have ended
		note("a mount in "+path, strings.Contains(string(content), t.folder+"/"))
	}
	note("folder "+t.folder, exists(t.folder))
	return found
}

// processes returns those of pods and their shims. One that has ended counts no more, also while the machine's first
// process has not yet taken note of it: the kernel shows no executable of such a one.
func (t traces) processes() []int {
	var found []int
	all, _ := filepath.Glob("/proc/[0-9]*/cgroup")
	for _, path := range all {
		content, _ := os.ReadFile(path) // it may have ended
		_, err := os.Readlink(filepath.Join(filepath.Dir(path), "exe"))
		if err == nil && strings.Contains(string(content), ":/"+t.Cgroup+"/") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			found = append(found, pid)
		}
	}
	slices.Sort(found)
	return found
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
