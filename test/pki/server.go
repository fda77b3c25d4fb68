package pki

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Server is a TLS server that answers every connection with a handshake and hangs up. It serves what it was given until
// it is given something else, so it stands for a server that reads its files once, or at a reload.
type Server struct {
	Addr string

	pair     atomic.Pointer[tls.Certificate]
	listener net.Listener
	client   tls.ClientAuthType
	preamble func(net.Conn) error
	handlers sync.WaitGroup
	lock     sync.Mutex
	received []byte
}

// ServerOption changes a server.
type ServerOption func(*Server)

// WantClient makes the server ask for client certificates.
func WantClient(kind tls.ClientAuthType) ServerOption { return func(s *Server) { s.client = kind } }

// Preamble is run on each connection before its handshake.
func Preamble(f func(net.Conn) error) ServerOption { return func(s *Server) { s.preamble = f } }

// NewServer starts a server on a free port of the loopback. It ends with the test.
func NewServer(t testing.TB, pair Pair, options ...ServerOption) *Server {
	t.Helper()
	s, err := StartServer(pair, options...)
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

// NewServerAt starts a server at an address.
func NewServerAt(t testing.TB, address string, pair Pair) *Server {
	t.Helper()
	s, err := startServer(address, pair)
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

// StartServer does the same as NewServer outside of a test.
func StartServer(pair Pair, options ...ServerOption) (*Server, error) {
	return startServer("127.0.0.1:0", pair, options...)
}

func startServer(address string, pair Pair, options ...ServerOption) (*Server, error) {
	var listen net.ListenConfig
	l, err := listen.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	s := &Server{Addr: l.Addr().String(), listener: l}
	s.Use(pair)
	for _, o := range options {
		o(s)
	}
	s.handlers.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.handlers.Go(func() { s.handle(conn) })
		}
	})
	return s, nil
}

// Use makes new connections see another certificate.
func (s *Server) Use(pair Pair) {
	c := pair.TLS()
	s.pair.Store(&c)
}

// Load makes new connections see the pair in a mount, as a server does that reads its files; what cannot be read is
// refused, and the old pair stays.
func (s *Server) Load(dir string) error {
	c, err := tls.LoadX509KeyPair(dir+"/tls.crt", dir+"/tls.key")
	if err != nil {
		return err
	}
	s.pair.Store(&c)
	return nil
}

// Close ends the server.
func (s *Server) Close() {
	_ = s.listener.Close()
	s.handlers.Wait()
}

// Received is the application data that clients sent.
func (s *Server) Received() []byte {
	s.lock.Lock()
	defer s.lock.Unlock()
	return bytes.Clone(s.received)
}

func (s *Server) handle(conn net.Conn) {
	defer conn.Close()
	if s.preamble != nil {
		if err := s.preamble(conn); err != nil {
			return
		}
	}
	server := tls.Server(conn, &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.pair.Load(), nil },
		ClientAuth:     s.client,
	})
	data, err := io.ReadAll(io.LimitReader(server, 1<<10))
	s.lock.Lock()
	defer s.lock.Unlock()
	s.received = append(s.received, data...)
	if err != nil && len(data) > 0 {
		s.received = fmt.Appendf(s.received, "; %v", err)
	}
}
