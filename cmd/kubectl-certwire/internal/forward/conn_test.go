package forward

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// pipes is a stream whose other end is in the test's hands.
type pipes struct {
	io.Reader
	io.WriteCloser
	reset func()
}

func (p pipes) Reset() error {
	p.reset()
	return nil
}

// rigged returns a connection, and the pod's end of it.
func rigged(t *testing.T, trouble string) (c *conn, sends *io.PipeWriter, gets *io.PipeReader, forgotten *atomic.Int32) {
	t.Helper()
	reads, sends := io.Pipe()
	gets, writes := io.Pipe()
	forgotten = &atomic.Int32{}
	c = newConn(pipes{reads, writes, func() { _ = reads.Close() }}, strings.NewReader(trouble), func() { forgotten.Add(1) })
	t.Cleanup(func() { _ = c.Close() })
	return c, sends, gets, forgotten
}

func TestBytesGoBothWays(t *testing.T) {
	t.Parallel()
	c, sends, gets, forgotten := rigged(t, "")
	go func() { _, _ = c.Write([]byte("ping")) }()
	b := make([]byte, 4)
	if _, err := io.ReadFull(gets, b); err != nil || string(b) != "ping" {
		t.Fatalf("%q %v", b, err)
	}
	go func() { _, _ = sends.Write([]byte("pong")) }()
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "pong" {
		t.Fatalf("%q %v", b, err)
	}
	_ = sends.Close()
	if _, err := c.Read(b); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	_, _ = c.Close(), c.Close()
	if n := forgotten.Load(); n != 1 {
		t.Errorf("its streams were removed %d times", n)
	}
}

func TestWhyAConnectionFailed(t *testing.T) {
	t.Parallel()
	c, sends, _, _ := rigged(t, "error forwarding port 9443: dial tcp4 127.0.0.1:9443: connect: connection refused")
	_ = sends.Close()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("refused: %v", err)
	}
	// The pod's end may be gone before anything was sent: whatever comes first says why.
	if _, err := c.Write([]byte("hello")); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("refused, while writing: %v", err)
	}
	if err := c.SetDeadline(time.Now().Add(time.Minute)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("refused, before anything: %v", err)
	}
	other, sends, _, _ := rigged(t, "container not running")
	_ = sends.Close()
	if _, err := other.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "not running") {
		t.Errorf("another reason: %v", err)
	}
}

func TestAServerThatNeverAnswers(t *testing.T) {
	t.Parallel()
	c, _, _, _ := rigged(t, "")
	if err := c.SetDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
}
