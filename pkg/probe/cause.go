package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Cause is why no certificate was seen: a closed set, fit for a metric label.
type Cause string

// The causes of a [Result] that is not [Served].
const (
	CauseRefused  Cause = "refused"  // nobody listens there
	CauseTimeout  Cause = "timeout"  // no answer in time, from the network or from the server
	CauseReset    Cause = "reset"    // the connection was reset
	CauseClosed   Cause = "closed"   // the server hung up before its certificate; it may want the PROXY protocol first
	CauseNoRoute  Cause = "no-route" // the network has no way there
	CauseName     Cause = "name"     // the address' host name was not resolved
	CauseAlert    Cause = "alert"    // the server ended the handshake with an alert
	CauseProtocol Cause = "protocol" // what came breaks the protocol, or is more than a handshake takes
	CausePlain    Cause = "plain"    // what came is not TLS
	CauseDeclined Cause = "declined" // the server speaks the protocol but does not offer to start TLS
	CauseCanceled Cause = "canceled" // the caller ended the dial
)

var (
	errTooMuch = errors.New("the server sent more than a handshake takes")
	// errDeclined and errPlain are wrapped by the STARTTLS steps.
	errDeclined = errors.New("the server does not offer to start TLS")
	errPlain    = errors.New("the server does not speak this protocol")
)

func failed(err error) Result {
	cause, state := classify(err)
	return Result{State: state, Cause: cause, Err: err}
}

func classify(err error) (Cause, State) {
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, errDeclined):
		return CauseDeclined, NotTLS
	case errors.Is(err, errPlain), errors.As(err, &record):
		return CausePlain, NotTLS
	}
	return unreachable(err), Unreachable
}

func unreachable(err error) Cause {
	var (
		name  *net.DNSError
		alert tls.AlertError
		op    *net.OpError
		wait  net.Error
	)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return CauseRefused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return CauseNoRoute
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return CauseReset
	case errors.As(err, &name) && !name.IsTimeout:
		return CauseName
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &wait) && wait.Timeout():
		return CauseTimeout
	case errors.Is(err, context.Canceled):
		return CauseCanceled
	case errors.Is(err, net.ErrClosed): // by our own AfterFunc, at the deadline
		return CauseTimeout
	case errors.As(err, &alert), errors.As(err, &op) && op.Op == "remote error": // crypto/tls' word for the peer's alert
		return CauseAlert
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return CauseClosed
	default:
		return CauseProtocol
	}
}
