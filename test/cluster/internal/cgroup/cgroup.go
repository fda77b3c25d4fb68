package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// pollEvery is the time between two looks at what still lives.
	pollEvery = 20 * time.Millisecond
	// procs is the file that lists a cgroup's processes, and takes new ones.
	procs = "cgroup.procs"
)

// Create makes the cgroup name ("certwire-12ab") below the root of every hierarchy
// that has controllers.
func Create(name string) error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	for _, h := range all {
		if !h.controls {
			continue
		}
		if h.unified {
			if err := delegate(h.path); err != nil {
				return err
			}
		}
		if err := os.Mkdir(filepath.Join(h.path, name), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("creating cgroup %s: %w", name, err)
		}
	}
	return nil
}

// Adopt puts the process pid, and the children that it has later, into the cgroup
// name/child, which it makes. In version 1 that is in one hierarchy alone: it is
// for knowing them again, not for limits.
func Adopt(name, child string, pid int) error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	// Other programs leave this hierarchy to whoever counts processes.
	i := max(0, slices.IndexFunc(all, func(h hierarchy) bool { return filepath.Base(h.path) == "pids" }))
	dir := filepath.Join(all[i].path, name, child)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("creating cgroup %s: %w", dir, err)
	}
	if err := os.WriteFile(filepath.Join(dir, procs), []byte(strconv.Itoa(pid)), 0o644); err != nil {
		return fmt.Errorf("moving process %d to cgroup %s: %w", pid, dir, err)
	}
	return nil
}

// Remove kills every process in the cgroup name and below, and removes it from all
// hierarchies. It reports how many processes it ended. One that is not there is no
// error. A process that outlives SIGKILL for longer than within is one.
func Remove(name string, within time.Duration) (int, error) {
	if name == "" || strings.Contains(name, "/") || name == "." || name == ".." {
		return 0, fmt.Errorf("removing cgroup %q: not a name of ours", name)
	}
	all, err := hierarchies()
	if err != nil {
		return 0, err
	}
	var dirs []string
	ended := map[int]bool{}
	deadline := time.Now().Add(within)
	for {
		dirs = dirs[:0]
		for _, h := range all {
			dirs = append(dirs, below(filepath.Join(h.path, name))...)
		}
		left := kill(dirs, ended)
		if left == 0 && removeAll(dirs) {
			return len(ended), nil
		}
		if time.Now().After(deadline) {
			return len(ended), fmt.Errorf("removing cgroup %s: %d processes outlived SIGKILL by %s", name, left, within)
		}
		time.Sleep(pollEvery)
	}
}

// kill sends SIGKILL to the processes of dirs, notes them in ended and returns
// how many there were.
func kill(dirs []string, ended map[int]bool) int {
	found := 0
	for _, dir := range dirs {
		thaw(dir)
		for _, pid := range members(dir) {
			found++
			// The handle is taken before the second look and is bound to one process, so
			// that the id cannot change hands between the look and the signal.
			handle, err := os.FindProcess(pid)
			if err != nil {
				continue
			}
			if slices.Contains(members(dir), pid) && handle.Kill() == nil {
				ended[pid] = true
			}
			_ = handle.Release()
		}
	}
	return found
}

// thaw lets the processes of a version 1 cgroup run. A frozen one does not even end at
// SIGKILL, and runc leaves them frozen when it is ended itself while it ends a container.
// In version 2 they end all the same.
func thaw(dir string) {
	file, err := os.OpenFile(filepath.Join(dir, "freezer.state"), os.O_WRONLY, 0)
	if err != nil {
		return // it is not the freezer's
	}
	_, _ = file.WriteString("THAWED")
	_ = file.Close()
}

// removeAll removes the folders, innermost first, and reports whether all are gone.
func removeAll(dirs []string) bool {
	gone := true
	for _, dir := range slices.Backward(dirs) {
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			gone = false
		}
	}
	return gone
}

// below returns dir and all folders below it, outermost first.
func below(dir string) []string {
	var dirs []string
	// What vanishes during the walk need not be removed.
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	return dirs
}

// members returns the processes of one cgroup, without those below it.
func members(dir string) []int {
	content, err := os.ReadFile(filepath.Join(dir, procs))
	if err != nil {
		return nil
	}
	var pids []int
	for field := range strings.FieldsSeq(string(content)) {
		// A process of an outer process namespace shows as 0.
		if pid, err := strconv.Atoi(field); err == nil && pid > 1 {
			pids = append(pids, pid)
		}
	}
	return pids
}
