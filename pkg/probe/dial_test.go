package probe_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/test/pki"
)

// listen runs a server that is not TLS on each connection.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return l.Addr().String()
}

// closedPort is an address that nobody listens on.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestDialSees(t *testing.T) {
	t.Parallel()
	ca := pki.NewAuthority(t)
	leaf := ca.Leaf(t, []string{"www.example.com", "example.com", "192.0.2.1"})
	want := probe.FingerprintOf(leaf.Chain[0].Raw)
	for sentence, options := range map[string][]pki.ServerOption{
		"a plain TLS server":                         nil,
		"a server that demands a client certificate": {pki.WantClient(tls.RequireAndVerifyClientCert)},
		"a server that asks for one":                 {pki.WantClient(tls.RequestClientCert)},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			server := pki.NewServer(t, leaf, options...)
			for _, key := range []x509.PublicKeyAlgorithm{0, x509.ECDSA} { // TLS 1.3, then TLS 1.2
				r := probe.Dial(t.Context(), probe.Target{Address: server.Addr, ServerName: "example.com", Key: key})
				if r.State != probe.Served || r.Cause != "" || r.Leaf.Fingerprint != want || len(r.Chain) != 2 || len(r.Certificates) != 2 {
					t.Fatalf("key %v: got %+v", key, r)
				}
				if diff := cmp.Diff([]string{"192.0.2.1", "example.com", "www.example.com"}, r.Leaf.Names); diff != "" {
					t.Error(diff)
				}
				if r.Leaf.Serial != fmt.Sprintf("%x", leaf.Chain[0].SerialNumber) || !r.Leaf.NotAfter.Equal(leaf.Chain[0].NotAfter) ||
					r.Leaf.SelfSigned {
					t.Errorf("got %+v", r.Leaf)
				}
			}
			if sent := server.Received(); len(sent) != 0 {
				t.Errorf("application data was sent: %q", sent)
			}
		})
	}
}

func TestDialPicksTheKind(t *testing.T) {
	t.Parallel()
	ca := pki.NewAuthority(t)
	names := []string{"example.com"}
	kinds := map[x509.PublicKeyAlgorithm]pki.Pair{x509.RSA: ca.RSALeaf(t, names), x509.ECDSA: ca.Leaf(t, names)}
	address := listen(t, func(conn net.Conn) {
		_ = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{kinds[x509.RSA].TLS(), kinds[x509.ECDSA].TLS()}}).Handshake()
	})
	for kind, pair := range kinds {
		r := probe.Dial(t.Context(), probe.Target{Address: address, Key: kind})
		if r.Leaf.Fingerprint != probe.FingerprintOf(pair.Chain[0].Raw) || r.Leaf.Key != kind {
			t.Errorf("%v: got %+v", kind, r)
		}
	}
}

func TestDialFails(t *testing.T) {
	t.Parallel()
	leaf := pki.NewAuthority(t).Leaf(t, []string{"example.com"})
	wrongKey := leaf
	wrongKey.Key = pki.NewAuthority(t).Leaf(t, []string{"example.com"}).Key
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	for sentence, c := range map[string]struct {
		address string
		timeout time.Duration
		state   probe.State
		cause   probe.Cause
	}{
		"nobody listens":           {closedPort(t), 0, probe.Unreachable, probe.CauseRefused},
		"the name is not resolved": {"no.such.host.invalid:443", 0, probe.Unreachable, probe.CauseName},
		"the server is silent":     {listen(t, func(net.Conn) { <-release }), 50 * time.Millisecond, probe.Unreachable, probe.CauseTimeout},
		"the server speaks HTTP":   {listen(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.0 400 Bad Request\r\n\r\n"); <-release }), 0, probe.NotTLS, probe.CausePlain},
		"the server sends garbage": {listen(t, func(c net.Conn) { _, _ = c.Write(bytes.Repeat([]byte{0xff, 0, 0x17, 0x80}, 4096)); <-release }), 0, probe.NotTLS, probe.CausePlain},
		"the server sends a chain of 1 MB": {listen(t, func(c net.Conn) {
			pair := leaf.TLS()
			for range 16 {
				pair.Certificate = append(pair.Certificate, make([]byte, 64<<10))
			}
			_ = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{pair}}).Handshake()
		}), 0, probe.Unreachable, probe.CauseProtocol},
		"the server greets in SMTP": {listen(t, func(c net.Conn) { _, _ = io.WriteString(c, "220 mail ESMTP\r\n"); <-release }), 0, probe.NotTLS, probe.CausePlain},
		"the server hangs up": {listen(t, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
		}), 0, probe.Unreachable, probe.CauseClosed},
		"the server resets": {listen(t, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1))
			_ = c.(*net.TCPConn).SetLinger(0)
		}), 0, probe.Unreachable, probe.CauseReset},
		"the server has no certificate for us": {listen(t, func(c net.Conn) {
			_ = tls.Server(c, &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				return nil, io.ErrUnexpectedEOF
			}}).Handshake()
		}), 0, probe.Unreachable, probe.CauseAlert},
		"the server has not the certificate's key": {listen(t, func(c net.Conn) {
			_ = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{wrongKey.TLS()}}).Handshake()
		}), 0, probe.Unreachable, probe.CauseProtocol},
		"the server never stops talking": {listen(t, func(c net.Conn) {
			// Handshake records without end, a message that claims 64 KiB after the other.
			for {
				if _, err := c.Write(append([]byte{22, 3, 3, 0x40, 0}, make([]byte, 0x4000)...)); err != nil {
					return
				}
			}
		}), 0, probe.Unreachable, probe.CauseProtocol},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			r := probe.Dial(t.Context(), probe.Target{Address: c.address, Timeout: c.timeout})
			if r.State != c.state || r.Cause != c.cause || r.Err == nil || r.Leaf.Fingerprint != "" {
				t.Errorf("got %s because of %s (%v), want %s because of %s", r.State, r.Cause, r.Err, c.state, c.cause)
			}
		})
	}
	t.Run("the caller ends it", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		address := listen(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 1)); cancel(); <-release })
		if r := probe.Dial(ctx, probe.Target{Address: address}); r.Cause != probe.CauseCanceled {
			t.Errorf("got %+v", r)
		}
	})
}

func TestParseChain(t *testing.T) {
	t.Parallel()
	pair := pki.NewAuthority(t).Leaf(t, []string{"example.com"})
	for sentence, c := range map[string]struct {
		data []byte
		want int
	}{
		"leaf and intermediate":     {pair.CertPEM(), 2},
		"a key in the same file":    {append(pair.KeyPEM(), pair.CertPEM()...), 2},
		"nothing":                   {nil, 0},
		"a key alone":               {pair.KeyPEM(), 0},
		"a certificate cut in half": {pair.CertPEM()[:300], 0},
		"a certificate with no DER": {[]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), 0},
		"more certificates than 32": {bytes.Repeat(pair.CertPEM(), 17), 0},
		"text around it":            {append([]byte("subject=/CN=x\n"), pair.CertPEM()...), 2},
		"a second one cut in half":  {append(pair.CertPEM(), pair.CertPEM()[:300]...), 2},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			chain, err := probe.ParseChain(c.data)
			if len(chain) != c.want || (err == nil) != (c.want > 0) {
				t.Errorf("got %d certificates and %v, want %d", len(chain), err, c.want)
			}
		})
	}
}
