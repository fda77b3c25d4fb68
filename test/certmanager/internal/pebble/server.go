package pebble

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/certwire/certwire/test/certmanager/internal/child"
)

const (
	// startWithin says when to stop hoping for a server that starts.
	startWithin = time.Minute
	// stopGrace is how long it may take to end; it keeps nothing.
	stopGrace = 3 * time.Second
)

// Server is a running ACME server.
type Server struct {
	// Directory is its ACME directory's URL.
	Directory string
	// Log is the file that both Pebble and the front write to.
	Log string

	process *child.Process
	front   *http.Server
	log     io.Closer
}

// Start starts Pebble and its front and returns when they answer. When it fails it
// leaves nothing running.
func Start(ctx context.Context, c Config) (*Server, error) {
	s := &Server{Log: filepath.Join(c.Dir, c.Name+".log")}
	to, err := s.startPebble(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := s.startFront(c, to); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// Wait waits until Pebble ends and says how.
func (s *Server) Wait() error {
	<-s.process.Done()
	return s.process.Failure()
}

// Stop ends it.
func (s *Server) Stop() {
	if s.front != nil {
		_ = s.front.Close()
	}
	s.process.Stop(stopGrace)
	if s.log != nil {
		_ = s.log.Close()
	}
}

// startPebble starts the process and returns its address. A port is free when it is
// picked and may be taken when Pebble opens it, so that failure is tried again.
func (s *Server) startPebble(ctx context.Context, c Config) (string, error) {
	for range 3 {
		address, err := freeAddress()
		if err != nil {
			return "", err
		}
		file := filepath.Join(c.Dir, c.Name+".json")
		if err := c.write(file, address); err != nil {
			return "", err
		}
		cmd := exec.Command(c.Binary, "-config", file)
		cmd.Env = environment
		if s.process, err = child.Start(c.Name, cmd, s.Log); err != nil {
			return "", err
		}
		err = s.answers(ctx, &http.Client{Transport: c.Authority.transport()}, "https://"+address+"/dir")
		if err == nil {
			return address, nil
		}
		s.process.Stop(stopGrace)
		if !strings.Contains(err.Error(), "address already in use") {
			return "", err
		}
	}
	return "", fmt.Errorf("starting %s: its port was taken each time", c.Name)
}

// startFront starts what clients speak to.
func (s *Server) startFront(c Config, to string) error {
	log, err := os.OpenFile(s.Log, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("opening the log of %s: %w", c.Name, err)
	}
	s.log = log
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("starting the front of %s: %w", c.Name, err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return fmt.Errorf("starting the front of %s: %w", c.Name, err)
	}
	s.Directory = "https://" + net.JoinHostPort("localhost", port) + "/dir"
	s.front = newFront(c.Authority, to, log)
	go func() { _ = s.front.ServeTLS(listener, "", "") }()
	return nil
}

// answers waits until url answers, the process ends or ctx does.
func (s *Server) answers(ctx context.Context, client *http.Client, url string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startWithin, errors.New("it did not answer in time"))
	defer cancel()
	defer client.CloseIdleConnections()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return fmt.Errorf("asking for %s: %w", url, err)
		}
		if response, err := client.Do(request); err == nil {
			_ = response.Body.Close()
			return nil
		}
		select {
		case <-s.process.Done():
			return s.process.Failure()
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", url, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// freeAddress is a loopback address that nothing listens on.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String(), nil
}
