package reload

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/certwire/certwire/pkg/reload/spec"
)

// actSocket goes through a script.
func (e *Engine) actSocket(ctx context.Context) error {
	s := e.spec.Socket
	var conn net.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close()
		}
	}()
	for i, step := range s.Steps {
		text, err := spec.Expand(step.Send, e.content)
		if err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
		if conn == nil || s.Each {
			if conn != nil {
				_ = conn.Close()
			}
			if conn, err = e.dialSocket(ctx); err != nil {
				return err
			}
		}
		last := s.Each || i == len(s.Steps)-1
		if err := e.say(conn, text, step.Expect, last); err != nil {
			return fmt.Errorf("step %d (%s): %w", i+1, firstWord(step.Send), err)
		}
	}
	return nil
}

func (e *Engine) dialSocket(ctx context.Context) (net.Conn, error) {
	s := e.spec.Socket
	ctx, cancel := context.WithTimeout(ctx, e.stepTimeout())
	defer cancel()
	var dialer net.Dialer
	if s.Network == "tls" {
		return (&tls.Dialer{NetDialer: &dialer, Config: e.localTLS()}).DialContext(ctx, "tcp", s.Address)
	}
	return dialer.DialContext(ctx, s.Network, s.Address)
}

func (e *Engine) stepTimeout() time.Duration {
	return orElse(e.spec.Socket.Timeout, time.Duration(e.config.Timeout))
}

// say sends text and reads until the answer is as expected. Without an expectation, only the last step waits, for the
// server to hang up: a command whose connection is cut may not be carried out.
func (e *Engine) say(conn net.Conn, text string, expect *regexp.Regexp, last bool) error {
	if err := conn.SetDeadline(time.Now().Add(e.stepTimeout())); err != nil {
		return err
	}
	if _, err := conn.Write([]byte(text)); err != nil {
		return fmt.Errorf("sending: %w", err)
	}
	if expect == nil {
		if last {
			drain(conn)
		}
		return nil
	}
	var answer []byte
	buffer := make([]byte, 4096)
	for len(answer) < maxAnswer {
		n, err := conn.Read(buffer)
		answer = append(answer, buffer[:n]...)
		if expect.Match(answer) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("answered %s, not %q (%w)", excerpt(answer), expect, ending(err))
		}
	}
	return fmt.Errorf("answered %s and more, not %q", excerpt(answer), expect)
}

// ending words how an answer ended.
func ending(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("no more came in time")
	}
	return err
}

// drainTime bounds the wait for a server to hang up, which some never do.
const drainTime = 2 * time.Second

func drain(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = conn.SetReadDeadline(time.Now().Add(drainTime))
	buffer := make([]byte, 4096)
	for total := 0; total < maxAnswer; {
		n, err := conn.Read(buffer)
		if total += n; err != nil {
			return
		}
	}
}

// content is what the placeholders of a script stand for.
func (e *Engine) content(name string) ([]byte, error) {
	c := e.config.Certificates[0] // a script names its server's files by itself, so it is about one pair
	switch name {
	case "cert":
		return readFile(c.Root, c.Cert)
	case "key":
		return readFile(c.Root, c.Key)
	case "ca":
		return readFile(c.Root, c.CA)
	case "pem":
		cert, err := readFile(c.Root, c.Cert)
		if err != nil {
			return nil, err
		}
		key, err := readFile(c.Root, c.Key)
		return append(append(cert, '\n'), key...), err
	default:
		return readBounded(name, maxFile)
	}
}

// firstWord names a step. What follows the command is not shown: it may be a password.
func firstWord(text string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	return word
}
