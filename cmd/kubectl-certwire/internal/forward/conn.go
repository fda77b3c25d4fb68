package forward

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stream is what is needed of a stream of a port forward. Reset ends it at once, also for who is reading.
type stream interface {
	io.ReadWriteCloser
	Reset() error
}

// maxTrouble bounds what is read of why a connection failed.
const maxTrouble = 4 << 10

// conn is a stream as a connection with deadlines, which streams do not have: a pipe has them.
type conn struct {
	net.Conn

	data   stream
	forget func()
	end    sync.Once

	mu  sync.Mutex
	err error // why the other end is gone; nil for no reason
}

// newConn carries bytes between a data stream and a connection until either ends. What comes on the other stream says why
// the pod's end failed. forget is called once it is over.
func newConn(data stream, trouble io.Reader, forget func()) *conn {
	near, far := net.Pipe()
	c := &conn{Conn: near, data: data, forget: forget}
	why := make(chan error, 1)
	go func() { why <- read(trouble) }()
	go func() {
		_, _ = io.Copy(far, data)
		_ = data.Reset() // or what was not sent keeps the other stream from ending
		reason := <-why
		c.mu.Lock()
		c.err = reason
		c.mu.Unlock()
		_ = far.Close()
	}()
	go func() {
		_, _ = io.Copy(data, far)
		_ = data.Close()
	}()
	return c
}

// Read reads what the pod's server sent. At its end it says why, where that is known.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	return n, c.reason(err)
}

// Write sends to the pod's server. Where that is gone already it says why, as Read does.
func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	return n, c.reason(err)
}

// SetDeadline bounds both. A pipe refuses that too when its other end is closed.
func (c *conn) SetDeadline(t time.Time) error { return c.reason(c.Conn.SetDeadline(t)) }

// reason is why the other end is gone, where an error says that it is and that is known.
func (c *conn) reason(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.err != nil {
			return c.err
		}
	}
	return err
}

// Close ends the connection.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.end.Do(func() {
		_ = c.data.Reset()
		c.forget()
	})
	return err
}

// read makes an error of what a kubelet says of a connection that it could not make. Its text has the system's own words.
func read(from io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(from, maxTrouble))
	switch message := string(text); {
	case err != nil && message == "":
		return nil // the streams were closed
	case message == "":
		return nil
	case strings.Contains(message, "connection refused"):
		return fmt.Errorf("%s: %w", message, syscall.ECONNREFUSED)
	default:
		return errors.New(message)
	}
}
