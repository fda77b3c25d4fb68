package reload_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/certwire/certwire/pkg/reload"
	"github.com/certwire/certwire/test/pki"
)

// TestMain turns the test binary into a server when a test starts it as a child.
func TestMain(m *testing.M) {
	switch os.Getenv("CERTWIRE_TEST_CHILD") {
	case "":
		os.Exit(m.Run())
	case "serve":
		childServes(os.Getenv("CERTWIRE_TEST_DIR"))
	case "late":
		signal.Ignore(syscall.SIGHUP)
		begin := make(chan os.Signal, 1)
		signal.Notify(begin, syscall.SIGUSR1)
		go func() { childWaits(); os.Exit(0) }() // also where nobody begins it
		<-begin
		childServes(os.Getenv("CERTWIRE_TEST_DIR"))
	case "ignore":
		signal.Ignore(syscall.SIGHUP)
		childWaits()
	case "wait":
		childWaits()
	}
}

// childServes is a server that loads its files at the start and at SIGHUP.
func childServes(dir string) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	server, err := pki.StartServer(pki.Pair{})
	if err == nil {
		err = server.Load(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(server.Addr)
	go func() {
		for range hangup {
			_ = server.Load(dir)
		}
	}()
	childWaits()
}

// childWaits ends when the parent does.
func childWaits() {
	fmt.Println("ready")
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
}

var children atomic.Int64

// child starts the test binary under a name of its own, and returns that and the first line it says.
func child(t testing.TB, kind, dir string) (name, line string, cmd *exec.Cmd) {
	t.Helper()
	name = fmt.Sprintf("child-%d-%d", os.Getpid(), children.Add(1))
	cmd = exec.Command(os.Args[0])
	cmd.Args = []string{"/opt/" + name}
	cmd.Env = append(os.Environ(), "CERTWIRE_TEST_CHILD="+kind, "CERTWIRE_TEST_DIR="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	line, err = bufio.NewReader(out).ReadString('\n')
	must(t, err)
	return name, strings.TrimSpace(line), cmd
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits for a condition, as long as a slow machine may take.
func eventually(t testing.TB, what func() string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("it did not happen: %s", what())
		}
	}
}

// logs collects log lines.
type logs struct {
	lock  sync.Mutex
	bytes bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.bytes.Write(b)
}

func (l *logs) String() string {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.bytes.String()
}

// count counts lines with a message.
func (l *logs) count(message string) int {
	return strings.Count(l.String(), fmt.Sprintf("%q:%q", "msg", message))
}

// rig is an agent with a volume.
type rig struct {
	t     testing.TB
	mount *pki.Mount
	ca    *pki.Authority
	logs  *logs

	engine *reload.Engine
	cancel context.CancelFunc
	done   chan bool
}

var names = []string{"app.example.com"}

// leaf issues a leaf, newer with each age that is smaller.
func (r *rig) leaf(age time.Duration) pki.Pair {
	return r.ca.Leaf(r.t, names, pki.From(time.Now().Add(-age)))
}

func newRig(t testing.TB) *rig {
	t.Helper()
	return &rig{t: t, mount: pki.NewMount(t), ca: pki.NewAuthority(t), logs: &logs{}}
}

// settings are what tests change in a configuration; the others are quick, and patient where a slow machine needs it.
type settings map[string]any

// start runs an engine, which ends with the test at the latest.
func (r *rig) start(s settings) {
	r.t.Helper()
	all := settings{
		"certificates": []any{settings{"name": "app-tls", "root": r.mount.Dir}},
		"poll":         "20ms", "debounce": "2ms", "backoff": "2ms", "attempts": 2, "timeout": "20s", "grace": "1ns",
		"verifyDeadline": "1m", "startDeadline": "1ns", "retry": "1h",
	}
	maps.Copy(all, s)
	data, err := json.Marshal(all)
	must(r.t, err)
	config, err := reload.ParseConfig(data)
	must(r.t, err)
	r.engine, err = reload.New(config, reload.Options{Logger: slog.New(slog.NewJSONHandler(r.logs, nil))})
	must(r.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.done = cancel, make(chan bool, 1)
	engine, done, gone := r.engine, r.done, make(chan struct{})
	go func() {
		defer close(gone)
		done <- engine.Run(ctx)
	}()
	r.t.Cleanup(func() { cancel(); <-gone })
}

// stop ends the engine in good order.
func (r *rig) stop() {
	r.t.Helper()
	r.cancel()
	if restart := r.result(); restart {
		r.t.Error("the end of the agent restarts the containers")
	}
}

// result waits for the engine's end.
func (r *rig) result() bool {
	r.t.Helper()
	select {
	case restart := <-r.done:
		return restart
	case <-time.After(time.Minute):
		r.t.Fatalf("the agent does not end: %s", r.describe())
		return false
	}
}

func (r *rig) describe() string { return fmt.Sprintf("%+v\n%s", r.engine.Status(), r.logs) }

// state waits for a state of the only certificate, with a leaf.
func (r *rig) state(want reload.State, leaf pki.Pair) reload.Status {
	r.t.Helper()
	var s reload.Status
	eventually(r.t, func() string { return string(want) + ": " + r.describe() }, func() bool {
		s = r.engine.Status()
		return len(s.Certificates) == 1 && s.Certificates[0].State == want &&
			(leaf.Chain == nil || s.Certificates[0].Leaf.Serial == fmt.Sprintf("%x", leaf.Chain[0].SerialNumber))
	})
	return s
}

// looks waits until the volumes were looked at a few times more.
func (r *rig) looks() {
	r.t.Helper()
	for range 3 {
		before := r.engine.Status().Looked
		eventually(r.t, r.describe, func() bool { return r.engine.Status().Looked.After(before) })
	}
}

func port(address string) string {
	_, p, err := net.SplitHostPort(address)
	if err != nil {
		panic(err)
	}
	return p
}
