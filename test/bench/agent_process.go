package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/certwire/certwire/test/harness"
)

// line is one of a process's log.
type line struct {
	at   time.Time
	text string
}

// process is a sidecar that runs.
type process struct {
	command *exec.Cmd
	ended   chan struct{} // closed when endedAt is set
	endedAt time.Time

	lock  sync.Mutex
	lines []line
	// read is how many lines were looked at, and more wakes who waits for another.
	read int
	more chan struct{}
}

func launch(ctx context.Context, binary string, args, env []string) (*process, error) {
	p := &process{command: exec.CommandContext(ctx, binary, args...), ended: make(chan struct{}), more: make(chan struct{}, 1)}
	p.command.Env = env
	if env == nil {
		p.command.Env = []string{}
	}
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", binary, err)
	}
	p.command.Stdout, p.command.Stderr = in, in
	err = p.command.Start()
	in.Close()
	if err != nil {
		out.Close()
		return nil, fmt.Errorf("starting %s: %w", binary, err)
	}
	go p.listen(out)
	go func() {
		_ = p.command.Wait() // its code is asked for
		p.endedAt = time.Now()
		close(p.ended)
	}()
	return p, nil
}

func (p *process) listen(out io.ReadCloser) {
	defer out.Close()
	scanner := bufio.NewScanner(out)
	for scanner.Scan() {
		p.lock.Lock()
		p.lines = append(p.lines, line{time.Now(), scanner.Text()})
		p.lock.Unlock()
		select {
		case p.more <- struct{}{}:
		default:
		}
	}
}

// says waits for a line with a text among those that were not looked at, and returns when it came.
func (p *process) says(ctx context.Context, text string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, harness.Patience)
	defer cancel()
	for {
		if at, found := p.next(text); found {
			return at, nil
		}
		select {
		case <-p.more:
		case <-p.ended:
			return time.Time{}, fmt.Errorf("it ended without saying %s\n%s", text, p.log())
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("it did not say %s: %w\n%s", text, ctx.Err(), p.log())
		}
	}
}

func (p *process) next(text string) (time.Time, bool) {
	p.lock.Lock()
	defer p.lock.Unlock()
	for p.read < len(p.lines) {
		l := p.lines[p.read]
		p.read++
		if strings.Contains(l.text, text) {
			return l.at, true
		}
	}
	return time.Time{}, false
}

// log is the last part of what it said.
func (p *process) log() string {
	p.lock.Lock()
	defer p.lock.Unlock()
	var b strings.Builder
	for _, l := range p.lines[max(0, len(p.lines)-20):] {
		b.WriteString(l.text + "\n")
	}
	return b.String()
}

func (p *process) pid() int { return p.command.Process.Pid }

// wait waits for its end.
func (p *process) wait(ctx context.Context) (code int, at time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, harness.Patience)
	defer cancel()
	select {
	case <-p.ended:
		return p.command.ProcessState.ExitCode(), p.endedAt, nil
	case <-ctx.Done():
		return 0, time.Time{}, fmt.Errorf("it did not end: %w\n%s", ctx.Err(), p.log())
	}
}

// kill ends it. It may be called twice, and on none.
func (p *process) kill() {
	if p == nil {
		return
	}
	_ = p.command.Process.Kill()
	<-p.ended
}

// cpuTime is what a process's threads have used, to the nanosecond: /proc/<pid>/stat counts in hundredths of a second,
// which an idle sidecar does not reach in minutes. The first number of schedstat is the time on a CPU (linux
// Documentation/scheduler/sched-stats.rst). A thread that ended is missing; Go's do not.
func cpuTime(pid int) (time.Duration, error) {
	tasks := filepath.Join("/proc", strconv.Itoa(pid), "task")
	threads, err := os.ReadDir(tasks)
	if err != nil {
		return 0, fmt.Errorf("reading a process's CPU time: %w", err)
	}
	var sum time.Duration
	for _, t := range threads {
		raw, err := os.ReadFile(filepath.Join(tasks, t.Name(), "schedstat"))
		if errors.Is(err, os.ErrNotExist) && len(threads) > 1 {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("reading a process's CPU time: %w", err)
		}
		word, _, _ := strings.Cut(string(raw), " ")
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading a process's CPU time: %w", err)
		}
		sum += time.Duration(n)
	}
	return sum, nil
}

// imageSize is what an image from scratch with this file alone holds, as a node stores it and as a registry sends it.
// Its description adds about a kilobyte to both.
func imageSize(binary string) (size, packed int64, err error) {
	content, err := os.ReadFile(binary)
	if err != nil {
		return 0, 0, err
	}
	var layer, small bytes.Buffer
	archive := tar.NewWriter(&layer)
	err = archive.WriteHeader(&tar.Header{Name: filepath.Base(binary), Mode: 0o755, Size: int64(len(content))})
	if err != nil {
		return 0, 0, err
	}
	if _, err = archive.Write(content); err != nil {
		return 0, 0, err
	}
	if err = archive.Close(); err != nil {
		return 0, 0, err
	}
	size = int64(layer.Len())
	zip := gzip.NewWriter(&small)
	if _, err = layer.WriteTo(zip); err != nil {
		return 0, 0, err
	}
	err = zip.Close()
	return size, int64(small.Len()), err
}

// output runs a command.
func output(ctx context.Context, progress io.Writer, command ...string) (string, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, progress
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, out.String())
	}
	return out.String(), nil
}
