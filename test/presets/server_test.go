package presets

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/test/harness"
	"github.com/certwire/certwire/test/pki"
)

// patience is what a slow machine may take.
const patience = 2 * time.Minute

// serverName is what every certificate here is for.
const serverName = "localhost"

// installing is one at a time: the package manager has a lock.
var installing sync.Mutex

// program finds a server's program, or skips.
func program(t *testing.T, name, debian string) string {
	t.Helper()
	installing.Lock()
	defer installing.Unlock()
	path := lookUp(name)
	required := os.Getenv(harness.RequireNode) != ""
	if path == "" && required && os.Geteuid() == 0 {
		install(t, debian)
		path = lookUp(name)
	}
	switch {
	case path != "":
	case required:
		t.Fatalf("%s is not installed (Debian's package %s)", name, debian)
	default:
		t.Skipf("SKIPPED: %s is not installed (Debian's package %s)", name, debian)
	}
	return path
}

// lookUp finds a program in PATH, or where Debian puts those of services.
func lookUp(name string) string {
	for _, candidate := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	return ""
}

// policy is asked by Debian's packages whether a service may start; 101 is no.
// https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt
const policy = "/usr/sbin/policy-rc.d"

// install installs a package without starting its service.
func install(t *testing.T, debian string) {
	t.Helper()
	if _, err := os.Lstat(policy); errors.Is(err, os.ErrNotExist) {
		must(t, os.WriteFile(policy, []byte("#!/bin/sh\nexit 101\n"), 0o755))
		defer os.Remove(policy)
	}
	for _, args := range [][]string{{"update"}, {"install", "--yes", "--no-install-recommends", debian}} {
		cmd := exec.CommandContext(t.Context(), "apt-get", append([]string{"-o", "DPkg::Lock::Timeout=300"}, args...)...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil && args[0] == "install" {
			t.Fatalf("installing %s: %v\n%s", debian, err, out)
		}
	}
}

// running is a server that runs.
type running struct {
	cmd  *exec.Cmd
	out  *output
	done chan struct{}
}

// output is what a server says.
type output struct {
	lock  sync.Mutex
	bytes bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.lock.Lock()
	defer o.lock.Unlock()
	return o.bytes.Write(b)
}

func (o *output) String() string {
	o.lock.Lock()
	defer o.lock.Unlock()
	return o.bytes.String()
}

// launch starts a server, which ends with the test at the latest.
func launch(t *testing.T, program string, args, env []string) *running {
	t.Helper()
	r := &running{cmd: exec.Command(program, args...), out: &output{}, done: make(chan struct{})}
	r.cmd.Env = append(os.Environ(), env...)
	r.cmd.Stdout, r.cmd.Stderr = r.out, r.out
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	must(t, r.cmd.Start())
	go func() { _ = r.cmd.Wait(); close(r.done) }()
	t.Cleanup(r.stop)
	return r
}

// stop ends it, with all that it started.
func (r *running) stop() {
	_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
	<-r.done
}

// proc is what an agent sees in a process namespace that it shares with this server alone.
func (r *running) proc(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for _, name := range []string{strconv.Itoa(r.cmd.Process.Pid), "uptime"} {
		must(t, os.Symlink(filepath.Join("/proc", name), filepath.Join(folder, name)))
	}
	return folder
}

// serves waits until the wire shows a leaf.
func (r *running) serves(t *testing.T, port string, starttls probe.Protocol, want pki.Pair) {
	t.Helper()
	var last probe.Result
	eventually(t, func() string { return fmt.Sprintf("%+v\n%s", last, r.out) }, func() bool {
		last = probe.Dial(t.Context(), probe.Target{Address: net.JoinHostPort("127.0.0.1", port), ServerName: serverName, StartTLS: starttls})
		return last.Leaf.Fingerprint == fingerprint(want)
	})
}

// leaf is what the wire shows now.
func (r *running) leaf(t *testing.T, port string, starttls probe.Protocol) probe.Fingerprint {
	t.Helper()
	result := probe.Dial(t.Context(), probe.Target{Address: net.JoinHostPort("127.0.0.1", port), ServerName: serverName, StartTLS: starttls})
	if result.State != probe.Served {
		t.Fatalf("%+v\n%s", result, r.out)
	}
	return result.Leaf.Fingerprint
}

func fingerprint(p pki.Pair) probe.Fingerprint { return probe.FingerprintOf(p.Chain[0].Raw) }

// eventually waits for a condition.
func eventually(t *testing.T, what func() string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("it did not happen: %s", what())
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	must(t, os.WriteFile(path, []byte(strings.TrimSpace(text)+"\n"), 0o600))
	return path
}

// userName is this process's: servers that are started as root change to another one unless they are told.
func userName(t *testing.T) string {
	t.Helper()
	u, err := user.Current()
	must(t, err)
	return u.Username
}

func freePort(t *testing.T) string {
	t.Helper()
	port, err := harness.FreePort()
	must(t, err)
	return strconv.Itoa(port)
}
