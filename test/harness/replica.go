package harness

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// Build builds a command of this repository into the cache folder and returns the binary's path.
func Build(ctx context.Context, progress io.Writer, name, pkg string) (string, error) {
	return build(ctx, progress, Root(), name, pkg)
}

// build builds a command of the module in a folder, with further flags of go build.
func build(ctx context.Context, progress io.Writer, folder, name, pkg string, flags ...string) (string, error) {
	out := filepath.Join(Root(), ".cache", "bin", name)
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build", "-o", out}, flags...), pkg)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, progress, progress
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("building %s in %s: %w", pkg, folder, err)
	}
	return out, nil
}

// Replica is one running webhook process.
type Replica struct {
	// Address is where it serves admission requests, Health and Metrics the other two.
	Address, Health, Metrics string

	command *exec.Cmd
	ended   chan struct{}
}

// ReplicaOptions say how to run one.
type ReplicaOptions struct {
	Binary, Kubeconfig, Config string
	// Log is where its standard error goes.
	Log io.Writer
	// Args are further flags; later ones win.
	Args []string
	// Process sets the process's root and user. Optional.
	Process *syscall.SysProcAttr
}

// Patience is how long tests wait for a replica; it only says when to stop hoping.
const Patience = 2 * time.Minute

// StartReplica runs the webhook on free loopback ports. It is not ready yet when this returns.
func StartReplica(ctx context.Context, o ReplicaOptions) (*Replica, error) {
	r := &Replica{ended: make(chan struct{})}
	for _, to := range []*string{&r.Address, &r.Health, &r.Metrics} {
		port, err := FreePort()
		if err != nil {
			return nil, err
		}
		*to = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	args := append([]string{
		"--kubeconfig", o.Kubeconfig, "--config", o.Config, "--namespace", Namespace,
		"--bind-address", r.Address, "--health-bind-address", r.Health, "--metrics-bind-address", r.Metrics,
		"--tls-dns-names", Host(), "--log-format", "text",
	}, o.Args...)
	r.command = exec.CommandContext(context.WithoutCancel(ctx), o.Binary, args...)
	r.command.Stdout, r.command.Stderr = o.Log, o.Log
	if r.command.SysProcAttr = o.Process; o.Process == nil {
		r.command.SysProcAttr = &syscall.SysProcAttr{}
	}
	r.command.SysProcAttr.Setpgid = true // a Ctrl-C of the terminal is this process's matter
	r.command.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := r.command.Start(); err != nil {
		return nil, fmt.Errorf("starting a replica: %w", err)
	}
	go func() {
		defer close(r.ended)
		_ = r.command.Wait()
	}()
	return r, nil
}

// Ready asks /readyz, as the kubelet does.
func (r *Replica) Ready(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.Health+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// WaitReady waits until it is ready; an error says that it ended or that the context did.
func (r *Replica) WaitReady(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !r.Ready(ctx) {
		select {
		case <-r.ended:
			return fmt.Errorf("the replica ended before it was ready: %s", r.command.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("waiting for a replica: %w", ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// PID is its process id.
func (r *Replica) PID() int { return r.command.Process.Pid }

// Terminate sends SIGTERM, as the kubelet does, and does not wait.
func (r *Replica) Terminate() { _ = r.command.Process.Signal(syscall.SIGTERM) }

// Kill ends it at once and waits for that.
func (r *Replica) Kill() {
	_ = r.command.Process.Kill()
	<-r.ended
}

// Ended is closed once the process is gone.
func (r *Replica) Ended() <-chan struct{} { return r.ended }

// ExitCode is the process's, once it has ended.
func (r *Replica) ExitCode() int { return r.command.ProcessState.ExitCode() }

// firstPort and ports are where free ports are looked for: below what Linux gives outgoing connections by default
// (ip_local_port_range begins at 32768), of which a busy cluster on one machine opens hundreds a second. One of those could
// take the port before the server that it is for.
const (
	firstPort = 20000
	ports     = 12000
)

// FreePort returns a loopback port that was free a moment ago. No two calls of one process return the same.
func FreePort() (int, error) {
	for range 100 {
		port := firstPort + int((portSeed+nextPort.Add(1))%ports)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, fmt.Errorf("looking for a free port: none of 100 from %d on is free", firstPort)
}

// Processes that run at the same time begin at different ports.
var (
	portSeed = rand.Uint32N(ports)
	nextPort atomic.Uint32
)

// Host is the name under which the API server reaches this machine: CERTWIRE_TEST_HOST, needed for a cluster
// elsewhere, or localhost.
func Host() string {
	if h := os.Getenv("CERTWIRE_TEST_HOST"); h != "" {
		return h
	}
	return "localhost"
}
