package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
)

// Files is the Source for who brings a certificate of their own, in files that may change. It touches no caBundle:
// whoever writes the files also publishes their CA.
type Files struct {
	watcher *certwatcher.CertWatcher
	clock   clock.PassiveClock
}

var _ Source = &Files{}

// NewFiles reads the two PEM files: the certificate, with its chain, and its private key. It fails if it cannot: a
// mounted Secret is there before the process starts, so files that are missing are a mistake.
func NewFiles(certificate, key string) (*Files, error) {
	var missing []error
	if certificate == "" {
		missing = append(missing, errors.New("--tls-cert-file is not set"))
	}
	if key == "" {
		missing = append(missing, errors.New("--tls-private-key-file is not set"))
	}
	if err := errors.Join(missing...); err != nil {
		return nil, fmt.Errorf("checking the files of the serving certificate: %w", err)
	}
	watcher, err := certwatcher.New(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("reading the serving certificate from %s and %s: %w", certificate, key, err)
	}
	return &Files{watcher: watcher, clock: clock.RealClock{}}, nil
}

// GetCertificate implements Source.
func (f *Files) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return f.watcher.GetCertificate(hello)
}

// Start implements Source. Files that become unreadable are logged, and the certificate read last is served on.
func (f *Files) Start(ctx context.Context) error {
	if err := f.watcher.Start(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("watching the files of the serving certificate: %w", err)
	}
	return nil
}

// Healthy implements Source. It sees no more than the certificate's own times: which CA the API servers trust is the
// owner's affair.
func (f *Files) Healthy() error {
	leaf := f.current().Leaf
	switch now := f.clock.Now(); {
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("the serving certificate is not valid before %s", leaf.NotBefore.Format(time.RFC3339))
	case now.After(leaf.NotAfter):
		return fmt.Errorf("the serving certificate ended at %s", leaf.NotAfter.Format(time.RFC3339))
	}
	return nil
}

// NotAfter implements Source; ca is the end of the last certificate of the chain, zero if the file has the leaf alone.
func (f *Files) NotAfter() (leaf, ca time.Time) {
	certificate := f.current()
	if chain := certificate.Certificate; len(chain) > 1 {
		if last, err := x509.ParseCertificate(chain[len(chain)-1]); err == nil {
			ca = last.NotAfter
		}
	}
	return certificate.Leaf.NotAfter, ca
}

// current is never nil: NewFiles has read one, and the watcher replaces it only by another.
func (f *Files) current() *tls.Certificate {
	certificate, _ := f.watcher.GetCertificate(nil) // it returns no error, ever
	return certificate
}
