package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// flood is how long the chain of a server is that sends too much, in bytes.
const flood = 1 << 20

// failAt listens at an address and does one thing wrong there.
func (s *server) failAt(ctx context.Context, address string) error {
	handle, err := s.fault(s.wrong)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = l.Close() })
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			return http.ErrServerClosed // as the others say
		}
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			handle(conn)
		}()
	}
}

// fault is what happens to a connection.
func (s *server) fault(name string) (func(net.Conn), error) {
	handshake := func(c *tls.Config) func(net.Conn) {
		return func(conn net.Conn) { _ = tls.Server(conn, c).Handshake() }
	}
	switch name {
	case "silent":
		return func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }, nil
	case "garbage":
		return func(conn net.Conn) {
			_, _ = conn.Write(bytes.Repeat([]byte("no such thing as TLS here\r\n"), 100))
			_, _ = io.Copy(io.Discard, conn) // or what was written would be lost in a reset
		}, nil
	case "reset":
		return func(conn net.Conn) {
			if c, ok := conn.(*net.TCPConn); ok {
				_ = c.SetLinger(0) // tcp(7), socket(7): what is closed like this is reset
			}
		}, nil
	case "client-certificate":
		return handshake(&tls.Config{GetCertificate: s.certificate, ClientAuth: tls.RequireAnyClientCert}), nil
	case "flood":
		return handshake(&tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			c, err := s.certificate(hello)
			if err != nil {
				return nil, err
			}
			long := *c
			long.Certificate = append(long.Certificate[:1:1], bytes.Repeat([]byte{0x30}, flood))
			return &long, nil
		}}), nil
	default:
		return nil, errors.Join(fmt.Errorf("no fault is called %q", name), errors.New(usage))
	}
}
