package main

import (
	"bufio"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/test/pki"
)

// selfEvery is how often the server of method self looks at its files.
const selfEvery = 5 * time.Millisecond

// server is what a sidecar runs beside: it takes up a certificate in no time of its own, so that what is measured is
// what the sidecar adds.
type server struct {
	dir, address string
	// url tells it by HTTP; config is how the agent is told of it, state where the agent remembers.
	url, state string
	config     map[string]any
	told       *told

	tls   *pki.Server
	stops []func()
}

// told notes when a server was told to load, and what it loaded then.
type told struct {
	lock  sync.Mutex
	loads []load
}

type load struct {
	at   time.Time
	leaf probe.Fingerprint
}

func (t *told) add(l load) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.loads = append(t.loads, l)
}

func (t *told) reset() {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.loads = nil
}

func (t *told) count() int {
	t.lock.Lock()
	defer t.lock.Unlock()
	return len(t.loads)
}

// which is when the server was told and first loaded a leaf; zero if it never was.
func (t *told) which(leaf probe.Fingerprint) time.Time {
	t.lock.Lock()
	defer t.lock.Unlock()
	for _, l := range t.loads {
		if l.leaf == leaf {
			return l.at
		}
	}
	return time.Time{}
}

// serveFiles serves what it loaded until it is made to load again.
func serveFiles(_ context.Context, dir string) (*server, error) {
	inner, err := pki.StartServer(pki.Pair{})
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, address: inner.Addr, tls: inner, told: &told{}, stops: []func(){inner.Close}}
	if s.state, err = os.MkdirTemp(filepath.Dir(dir), "state-"); err == nil {
		err = s.load()
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) stop() {
	for _, stop := range slices.Backward(s.stops) {
		stop()
	}
}

func (s *server) load() error {
	_, err := loadInto(s.tls, s.dir)
	return err
}

// tell is load for somebody who asked for it.
func (s *server) tell() error {
	at := time.Now()
	leaf, err := loadInto(s.tls, s.dir)
	s.told.add(load{at, leaf})
	return err
}

// loadInto makes a server serve what is in a volume, and returns the leaf.
func loadInto(s *pki.Server, dir string) (probe.Fingerprint, error) {
	c, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	if err != nil {
		return "", err
	}
	key, ok := c.PrivateKey.(crypto.Signer)
	if !ok {
		return "", errors.New("the key cannot sign")
	}
	pair := pki.Pair{Key: key}
	for _, der := range c.Certificate {
		one, err := x509.ParseCertificate(der)
		if err != nil {
			return "", err
		}
		pair.Chain = append(pair.Chain, one)
	}
	s.Use(pair)
	return probe.FingerprintOf(c.Certificate[0]), nil
}

// serveWatching looks at its files by itself.
func serveWatching(ctx context.Context, dir string) (*server, error) {
	s, err := serveFiles(ctx, dir)
	if err != nil {
		return nil, err
	}
	done := make(chan struct{})
	s.stops = append(s.stops, func() { close(done) })
	go func() {
		tick := time.NewTicker(selfEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = s.load() // it may be half-way between two
			case <-done:
				return
			}
		}
	}()
	return s, nil
}

// serveHTTP loads at each request.
func serveHTTP(ctx context.Context, dir string) (*server, error) {
	s, err := serveFiles(ctx, dir)
	if err != nil {
		return nil, err
	}
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := s.tell(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	s.stops = append(s.stops, admin.Close)
	s.url = admin.URL + "/-/reload"
	s.config = map[string]any{"http": "POST " + s.url}
	return s, nil
}

// serveSocket loads at each line on a unix socket, as HAProxy's runtime API does.
func serveSocket(ctx context.Context, dir string) (*server, error) {
	s, err := serveFiles(ctx, dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(s.state, "server.sock")
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "unix", path)
	if err != nil {
		s.stop()
		return nil, err
	}
	s.stops = append(s.stops, func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.answer(conn)
		}
	}()
	s.config = map[string]any{"socket": "unix:" + path + "\n> reload\n< ^done"}
	return s, nil
}

func (s *server) answer(conn net.Conn) {
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		word := "done"
		if err := s.tell(); err != nil || lines.Text() != "reload" {
			word = "error"
		}
		fmt.Fprintln(conn, word)
	}
}

// servesVariable makes this program the server of method signal, on a volume.
const servesVariable = "CERTWIRE_BENCH_SERVES"

// serveSignal is a process of its own that loads at SIGHUP.
func serveSignal(ctx context.Context, dir string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, told: &told{}}
	if s.state, err = os.MkdirTemp(filepath.Dir(dir), "state-"); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("bench-server-%d", os.Getpid())
	command := exec.CommandContext(ctx, self)
	command.Args = []string{name}
	command.Env = append(os.Environ(), servesVariable+"="+dir)
	command.Stderr = os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	in, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	s.stops = append(s.stops, func() { in.Close(); _ = command.Wait() })
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("the server said nothing: %w", err)
	}
	s.address = strings.TrimSpace(first)
	go func() {
		for {
			leaf, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			s.told.add(load{time.Now(), probe.Fingerprint(strings.TrimSpace(leaf))})
		}
	}()
	s.config = map[string]any{"method": "signal", "signal": "HUP", "process": name}
	return s, nil
}

// serveUntilStdinCloses is that process: it prints its address, and each leaf that it was told to load.
func serveUntilStdinCloses(dir string) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	inner, err := pki.StartServer(pki.Pair{})
	if err != nil {
		return err
	}
	if _, err := loadInto(inner, dir); err != nil {
		return err
	}
	fmt.Println(inner.Addr)
	go func() {
		for range hangup {
			leaf, err := loadInto(inner, dir)
			if err != nil {
				fmt.Fprintln(os.Stderr, "bench server:", err)
			}
			fmt.Println(leaf)
		}
	}()
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
