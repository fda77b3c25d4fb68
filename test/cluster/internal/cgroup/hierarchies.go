package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// hierarchy is one mounted tree of cgroups.
type hierarchy struct {
	path string
	// unified is version 2.
	unified bool
	// controls says that limits are set there: not in a version 2 tree beside version 1.
	// Container runtimes use that one nevertheless.
	controls bool
}

// hierarchies returns the ones of this machine.
func hierarchies() ([]hierarchy, error) {
	content, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("looking for cgroups: %w", err)
	}
	all := parse(string(content))
	if len(all) == 0 {
		return nil, errors.New("looking for cgroups: none are mounted")
	}
	return all, nil
}

// parse reads them from the text of /proc/<pid>/mountinfo (proc(5)): the mount
// point is field 5, the type is the first field after a lone hyphen. Those of version
// 1 come first.
func parse(mountinfo string) []hierarchy {
	var v1, v2 []hierarchy
	seen := map[string]bool{}
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(kind) == 0 || fields[3] != "/" || seen[fields[4]] {
			continue
		}
		seen[fields[4]] = true
		switch kind[0] {
		case "cgroup":
			v1 = append(v1, hierarchy{path: fields[4], controls: true})
		case "cgroup2":
			v2 = append(v2, hierarchy{path: fields[4], unified: true})
		}
	}
	for i := range v2 {
		v2[i].controls = len(v1) == 0
	}
	return append(v1, v2...)
}

// delegate lets cgroups below the root of a version 2 tree have all controllers.
// Turned on one by one: the kernel refuses a list of which one cannot be had.
func delegate(root string) error {
	content, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err != nil {
		return fmt.Errorf("reading the controllers of cgroups: %w", err)
	}
	for controller := range strings.FieldsSeq(string(content)) {
		// One that is missing is reported by the kubelet, if it needs it.
		_ = os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
	}
	return nil
}
