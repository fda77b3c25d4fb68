package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"time"
)

// DefaultTimeout bounds a whole dial, name resolution and STARTTLS included, when [Target.Timeout] is 0.
const DefaultTimeout = 5 * time.Second

// maxBytes is what one dial reads at most. crypto/tls takes certificate messages of up to 256 KiB; the rest of a
// handshake, and the lines before it, are small.
const maxBytes = 512 << 10

// Target is what to dial.
type Target struct {
	// Address is host:port. The caller answers for where it leads.
	Address string
	// ServerName is sent as SNI; empty sends none.
	ServerName string
	// StartTLS is the protocol whose first steps come before the handshake; empty is TLS from the first byte.
	StartTLS Protocol
	// Key restricts the handshake to a server key of one kind, x509.RSA or x509.ECDSA, for a server that holds one
	// certificate of each. 0 leaves the choice to the server. The restriction needs TLS 1.2, where the cipher suite names
	// the kind of the key.
	Key x509.PublicKeyAlgorithm
	// Timeout bounds the whole dial. 0 is [DefaultTimeout].
	Timeout time.Duration
}

// State is what a dial found.
type State string

// The states of a [Result].
const (
	// Served: a certificate was seen, and nothing in the server's part of the handshake was wrong.
	Served State = "served"
	// NotTLS: the server answered, but not with TLS, or it does not offer to start it.
	NotTLS State = "not-tls"
	// Unreachable: no certificate was seen; [Result.Cause] says why.
	Unreachable State = "unreachable"
)

// Result is what one dial showed.
type Result struct {
	State State
	// Cause is why State is not Served; empty otherwise.
	Cause Cause
	// Leaf is the certificate served, and Chain the fingerprints of all that were sent, the leaf's first. They are zero
	// unless State is Served.
	Leaf  Leaf
	Chain []Fingerprint
	// Certificates are those of Chain, for who verifies them.
	Certificates []*x509.Certificate
	// Err is the error behind Cause, for a log line. Its text comes from the network and is not bounded by a closed set.
	Err error
}

// Dial connects to a target, reads its handshake and closes. It never returns an error: what goes wrong is part of the
// result. The context ends it early, with cause [CauseCanceled].
func Dial(ctx context.Context, t Target) Result {
	dialer := net.Dialer{KeepAlive: -1}
	return Over(ctx, t, func(ctx context.Context) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", t.Address) })
}

// Over is [Dial] over a connection that connect makes, such as one that another server forwards. The target's address is not
// used. The connection has to keep its deadlines, and is closed.
func Over(ctx context.Context, t Target, connect func(context.Context) (net.Conn, error)) Result {
	timeout := t.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r := dial(limited, t, connect)
	if r.State == Unreachable && ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
		r.Cause = CauseCanceled
	}
	return r
}

func dial(ctx context.Context, t Target, connect func(context.Context) (net.Conn, error)) Result {
	raw, err := connect(ctx)
	if err != nil {
		return failed(err)
	}
	defer raw.Close() //nolint:errcheck // the result is known by then
	if deadline, ok := ctx.Deadline(); ok {
		if err := raw.SetDeadline(deadline); err != nil {
			return failed(err)
		}
	}
	// Closing is what ends a read when the context ends before the deadline.
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()

	conn := &limitedConn{Conn: raw, left: maxBytes}
	if err := startTLS(t.StartTLS, conn); err != nil {
		return failed(err)
	}
	return handshake(ctx, conn, t)
}

// handshake reads the server's certificates as they pass by: a server that wants a client certificate refuses us only
// after it has shown its own.
func handshake(ctx context.Context, conn net.Conn, t Target) Result {
	var seen []*x509.Certificate
	config := &tls.Config{
		ServerName: t.ServerName,
		// The chain is compared with the file that should be served, not trusted.
		InsecureSkipVerify: true,
		MinVersion:         tls.VersionTLS12,
		CipherSuites:       suites(t.Key),
		VerifyConnection: func(state tls.ConnectionState) error {
			seen = state.PeerCertificates
			return nil
		},
	}
	if t.Key != x509.UnknownPublicKeyAlgorithm {
		config.MaxVersion = tls.VersionTLS12
	}
	err := tls.Client(conn, config).HandshakeContext(ctx)
	if err != nil && !refusedUsOnly(err, seen) {
		return failed(err)
	}
	if len(seen) == 0 {
		return Result{State: Unreachable, Cause: CauseProtocol, Err: errors.New("the server sent no certificate")}
	}
	r := Result{State: Served, Leaf: NewLeaf(seen[0]), Certificates: seen}
	for _, c := range seen {
		r.Chain = append(r.Chain, FingerprintOf(c.Raw))
	}
	return r
}

// refusedUsOnly reports that a handshake failed for our part of it, after the server's was seen and checked: it wants a
// client certificate. What crypto/tls itself finds wrong (a signature that the certificate's key did not make) is an
// error of the server's part.
func refusedUsOnly(err error, seen []*x509.Certificate) bool {
	if len(seen) == 0 {
		return false
	}
	switch cause, _ := classify(err); cause {
	case CauseAlert, CauseClosed, CauseReset, CauseTimeout:
		return true
	default:
		return false
	}
}

// suites are the cipher suites of TLS 1.2 to offer: all that Go has, since what is compared and not trusted may as well
// be seen on a server that is behind the times.
func suites(key x509.PublicKeyAlgorithm) []uint16 {
	var ids []uint16
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if slices.Contains(s.SupportedVersions, tls.VersionTLS12) && suiteFits(s.Name, key) {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// limitedConn is a connection of which no more than left bytes are read.
type limitedConn struct {
	net.Conn
	left int
}

// Read reads until the bound is reached, and then fails.
func (c *limitedConn) Read(b []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTooMuch
	}
	if len(b) > c.left {
		b = b[:c.left]
	}
	n, err := c.Conn.Read(b)
	c.left -= n
	return n, err
}
