package process

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// pollEvery is how often EndOrphan looks whether a process is gone. Only a parent
// can wait for a process.
const pollEvery = 20 * time.Millisecond

// Identity is what tells one process from any other that has its id before or
// after it.
type Identity struct {
	PID int `json:"pid"`
	// Exe is the path of the executable, as /proc shows it.
	Exe string `json:"exe"`
	// Start is the boot's id and the start time in clock ticks since that boot.
	Start string `json:"start"`
}

// Identify returns the identity of the live process pid. A process that has
// ended, or whose executable this user may not see, is an error.
func Identify(pid int) (Identity, error) {
	proc := fmt.Sprintf("/proc/%d", pid)
	exe, err := os.Readlink(proc + "/exe")
	if err != nil {
		return Identity{}, fmt.Errorf("reading the executable of process %d: %w", pid, err)
	}
	stat, err := os.ReadFile(proc + "/stat")
	if err != nil {
		return Identity{}, fmt.Errorf("reading the start time of process %d: %w", pid, err)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Identity{}, fmt.Errorf("reading the boot id: %w", err)
	}
	ticks, err := startTicks(string(stat))
	if err != nil {
		return Identity{}, fmt.Errorf("reading the start time of process %d: %w", pid, err)
	}
	return Identity{
		PID: pid,
		// The kernel adds this when the file was removed or replaced meanwhile.
		Exe:   strings.TrimSuffix(exe, " (deleted)"),
		Start: strings.TrimSpace(string(boot)) + ":" + strconv.FormatUint(ticks, 10),
	}, nil
}

// Alive reports whether the very process that id was taken from still runs.
func (id Identity) Alive() bool {
	now, err := Identify(id.PID)
	return err == nil && now == id
}

// EndOrphan ends the process of id, which need not be a child of this one:
// SIGTERM, and SIGKILL after grace. It reports whether there was a process to
// end; one that merely has the same process id is left alone.
func EndOrphan(id Identity, grace time.Duration) (bool, error) {
	// The handle is taken before the check and is bound to one process (a pidfd),
	// so that the id cannot change hands between the check and the signal.
	handle, err := os.FindProcess(id.PID)
	if err != nil {
		return false, fmt.Errorf("finding process %d: %w", id.PID, err)
	}
	defer func() { _ = handle.Release() }()
	if !id.Alive() {
		return false, nil
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		err := handle.Signal(signal)
		if errors.Is(err, os.ErrProcessDone) || errors.Is(err, syscall.ESRCH) {
			return true, nil
		}
		if err != nil {
			return false, fmt.Errorf("sending %s to process %d: %w", signal, id.PID, err)
		}
		if gone(id, grace) {
			return true, nil
		}
	}
	return false, fmt.Errorf("process %d (%s) outlived SIGKILL by %s", id.PID, id.Exe, grace)
}

// gone waits until the process of id has ended and reports whether it did
// within the given time.
func gone(id Identity, within time.Duration) bool {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	deadline := time.After(within)
	for id.Alive() {
		select {
		case <-deadline:
			return false
		case <-ticker.C:
		}
	}
	return true
}

// startTicks returns field 22 of a /proc/<pid>/stat line. Field 2, the command's
// name, may hold spaces and parentheses, so fields are counted from its end.
func startTicks(stat string) (uint64, error) {
	const startAt = 22 - 3
	nameEnds := strings.LastIndex(stat, ")")
	fields := strings.Fields(stat[nameEnds+1:])
	if nameEnds < 0 || len(fields) <= startAt {
		return 0, fmt.Errorf("unexpected format: %q", stat)
	}
	ticks, err := strconv.ParseUint(fields[startAt], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("unexpected format: %w", err)
	}
	return ticks, nil
}
