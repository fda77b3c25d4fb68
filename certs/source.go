package certs

import (
	"context"
	"crypto/tls"
	"time"
)

// Source is a serving certificate that renews itself. All methods may be called at any time, from any goroutine.
type Source interface {
	// GetCertificate fits tls.Config. It makes no call to anywhere. It fails while there is no certificate at all.
	GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error)

	// Start keeps the certificate current until ctx ends, then returns nil; it is called once. It needs no leadership.
	// It returns an error only if it can never work: an API server that does not answer is logged and tried again.
	// The logger is taken from ctx.
	Start(ctx context.Context) error

	// Healthy is nil once a leaf is served that the API servers can verify; else the error says what is missing. It is
	// meant for readiness, never for liveness: a restart brings no certificate.
	Healthy() error

	// NotAfter is when the served leaf and its CA end, for metrics; each is zero while it is unknown.
	NotAfter() (leaf, ca time.Time)
}
