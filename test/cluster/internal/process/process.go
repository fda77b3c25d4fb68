package process

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Process is a child of this command.
type Process struct {
	// Name is the component's name, for messages.
	Name string
	// Identity is what a later run knows it by.
	Identity Identity

	cmd     *exec.Cmd
	logFile string
	done    chan struct{}
}

// Spec says what to start.
type Spec struct {
	// Name is the component's name, for messages.
	Name string
	// Binary is the path of the executable and Args are its arguments.
	Binary string
	Args   []string
	// Dir is the working directory.
	Dir string
	// LogFile gets standard output and standard error. It is appended to.
	LogFile string
	// From is the thread to start it from, whose mounts it then sees. Defaults to one
	// with this command's own.
	From *Thread
}

// Start starts a child. The child has a process group of its own, so that Ctrl-C
// in a terminal reaches only this command, which then ends its children in order;
// and the kernel kills the child when this command dies, however it dies.
func Start(spec Spec) (*Process, error) {
	log, err := os.OpenFile(spec.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", spec.Name, err)
	}
	// The child has its own descriptor once it runs.
	defer func() { _ = log.Close() }()

	cmd := exec.Command(spec.Binary, spec.Args...)
	cmd.Dir = spec.Dir
	cmd.Env = environment()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := fork(cmd, spec.From); err != nil {
		return nil, fmt.Errorf("starting %s: %w", spec.Name, err)
	}
	p := &Process{Name: spec.Name, cmd: cmd, logFile: spec.LogFile, done: make(chan struct{})}
	p.Identity, err = Identify(cmd.Process.Pid)
	go func() {
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
		close(p.done)
	}()
	if err == nil {
		return p, nil
	}
	// A process that ends at once cannot be identified. Its caller learns of that
	// from Done, as with any other end.
	p.Stop(0)
	if !cmd.ProcessState.Exited() {
		return nil, fmt.Errorf("starting %s: %w%s", spec.Name, err, p.tailText())
	}
	p.Identity.PID = cmd.Process.Pid
	return p, nil
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} {
	return p.done
}

// Failure describes, once Done is closed, how the process ended, with the last
// lines of its log.
func (p *Process) Failure() error {
	return fmt.Errorf("%s ended: %s%s", p.Name, p.cmd.ProcessState, p.tailText())
}

// Stop ends the process and waits for it: SIGTERM, and SIGKILL after grace. It
// reports whether SIGTERM was enough.
func (p *Process) Stop(grace time.Duration) bool {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only if it has ended
	select {
	case <-p.done:
		return true
	case <-time.After(grace):
	}
	_ = p.cmd.Process.Kill()
	<-p.done
	return false
}

// environment is what children see: no proxy, no ETCD_* setting and no
// credentials of the user's shell may change what a test finds.
func environment() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// forks is the thread that children come from if nothing else is asked for.
var forks = sync.OnceValue(NewThread)

// fork starts cmd from a thread that lives as long as this command.
func fork(cmd *exec.Cmd, from *Thread) error {
	if from == nil {
		from = forks()
	}
	return from.Do(cmd.Start)
}
