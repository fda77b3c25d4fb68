package reload

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// process is what /proc says of a process (proc(5)). Its files stat, status, comm and cmdline are readable by everybody.
type process struct {
	pid, parent int
	comm        string
	// argv0 is the first word that it was started with; servers write over it.
	argv0 string
	// started is in clock ticks since the machine started.
	started uint64
	// real and saved are its user ids; the kernel compares these with the sender's (kill(2)).
	real, saved int
	// caught and ignored are bit sets of signals, the lowest bit for signal 1.
	caught, ignored uint64
}

// commLength is what the kernel keeps of a name (TASK_COMM_LEN less the zero byte).
const commLength = 15

// is reports whether a process has a name.
func (p process) is(name string) bool {
	return p.comm == name[:min(len(name), commLength)] || path.Base(p.argv0) == name
}

func (p process) String() string { return fmt.Sprintf("%d (%s)", p.pid, p.comm) }

// catches says whether a signal reaches a handler. One that is not caught ends a process, whatever it was meant for.
func (p process) catches(signal int) error {
	bit := uint64(1) << (signal - 1)
	switch {
	case p.caught&bit != 0:
		return nil
	case p.ignored&bit != 0:
		return fmt.Errorf("process %s ignores this signal", p)
	default:
		return fmt.Errorf("process %s does not catch this signal and would end", p)
	}
}

// findProcess finds the one topmost process of a name: one whose parent has another name, so the master and not its
// workers. Number 1 is never taken (in a shared process namespace it is the pause process, and otherwise it is the
// agent), nor is the agent itself. Several are an error that names them.
func findProcess(proc, name string, self int) (process, error) {
	all, err := processes(proc)
	if err != nil {
		return process{}, err
	}
	matches := map[int]bool{}
	for _, p := range all {
		if p.pid != 1 && p.pid != self && p.is(name) {
			matches[p.pid] = true
		}
	}
	var top []process
	for _, p := range all {
		if matches[p.pid] && !matches[p.parent] {
			top = append(top, p)
		}
	}
	switch {
	case len(top) == 1:
		return top[0], nil
	case len(top) > 1:
		return process{}, fmt.Errorf("several processes are named %s: %s; name the one to signal", name, candidates(top))
	case len(all) <= 1 || len(all) == 2 && slices.ContainsFunc(all, func(p process) bool { return p.pid == 1 && p.comm == "pause" }):
		return process{}, fmt.Errorf("no process is named %s: only the agent is in sight, so the pod does not share its process namespace", name)
	default:
		return process{}, fmt.Errorf("no process is named %s among %s", name, candidates(all))
	}
}

// candidates lists some processes.
func candidates(all []process) string {
	const most = 8
	var names []string
	for _, p := range all[:min(len(all), most)] {
		names = append(names, p.String())
	}
	if len(all) > most {
		names = append(names, fmt.Sprintf("and %d more", len(all)-most))
	}
	return strings.Join(names, ", ")
}

// maxProcesses bounds a walk through /proc.
const maxProcesses = 10000

// processes reads all that run. Those that end meanwhile, and zombies, are left out.
func processes(proc string) ([]process, error) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil, err
	}
	var all []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || len(all) == maxProcesses {
			continue
		}
		if p, err := readProcess(proc, pid); err == nil {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b process) int { return a.pid - b.pid })
	return all, nil
}

var errGone = errors.New("the process is gone")

func readProcess(proc string, pid int) (process, error) {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	const most = 64 << 10
	stat, err := readBounded(filepath.Join(dir, "stat"), most)
	if err != nil {
		return process{}, err
	}
	p, err := parseStat(stat)
	if err != nil || p.pid != pid {
		return process{}, errGone
	}
	status, err := readBounded(filepath.Join(dir, "status"), most)
	if err != nil {
		return process{}, err
	}
	p.parseStatus(status)
	// A long command line is cut; only its first word counts.
	if cmdline, err := readBounded(filepath.Join(dir, "cmdline"), most); err == nil {
		word, _, _ := bytes.Cut(cmdline, []byte{0})
		p.argv0 = string(word)
	}
	return p, nil
}

// parseStat reads pid, name, state, parent and start off /proc/<pid>/stat. The name is in parentheses and may hold
// anything, parentheses too, so the last one ends it.
func parseStat(stat []byte) (process, error) {
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return process{}, errGone
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(stat[:open])))
	fields := strings.Fields(string(stat[end+1:]))
	if err != nil || len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return process{}, errGone
	}
	parent, err := strconv.Atoi(fields[1]) // field 4 of proc(5)
	if err != nil {
		return process{}, errGone
	}
	started, err := strconv.ParseUint(fields[19], 10, 64) // field 22
	if err != nil {
		return process{}, errGone
	}
	return process{pid: pid, comm: string(stat[open+1 : end]), parent: parent, started: started}, nil
}

// parseStatus reads user ids and signal sets off /proc/<pid>/status. What is not there stays zero, and then the signal
// counts as not caught.
func (p *process) parseStatus(status []byte) {
	for line := range strings.SplitSeq(string(status), "\n") {
		key, value, _ := strings.Cut(line, ":")
		fields := strings.Fields(value)
		switch {
		case key == "Uid" && len(fields) >= 3:
			p.real, _ = strconv.Atoi(fields[0])
			p.saved, _ = strconv.Atoi(fields[2])
		case key == "SigCgt" && len(fields) == 1:
			p.caught, _ = strconv.ParseUint(fields[0], 16, bits.UintSize)
		case key == "SigIgn" && len(fields) == 1:
			p.ignored, _ = strconv.ParseUint(fields[0], 16, bits.UintSize)
		}
	}
}

// ticksPerSecond is USER_HZ, which is 100 on every architecture that Kubernetes runs on (linux include/asm-generic/param.h).
const ticksPerSecond = 100

// age is how long a process has been running, by the machine's own clock.
func (p process) age(proc string) (time.Duration, error) {
	data, err := readBounded(filepath.Join(proc, "uptime"), 1<<10)
	if err != nil {
		return 0, err
	}
	word, _, _ := strings.Cut(string(data), " ")
	up, err := strconv.ParseFloat(word, 64)
	if err != nil {
		return 0, fmt.Errorf("reading uptime: %w", err)
	}
	return time.Duration((up - float64(p.started)/ticksPerSecond) * float64(time.Second)), nil
}
