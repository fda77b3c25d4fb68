package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"time"

	servertls "github.com/cert-manager/cert-manager/pkg/server/tls"
	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
)

// gate is an authority that hands out a leaf only if the API servers can verify it. The source that asks tries again
// every second, and serves its old leaf meanwhile.
type gate struct {
	servertls.Authority

	// verify says what keeps API servers from verifying a leaf.
	verify func(leaf *x509.Certificate) error
	// served returns what handshakes get now, nil if nothing.
	served func() *tls.Certificate
	clock  clock.PassiveClock

	// log is set before Run and Sign are called.
	log logr.Logger
	// held is why the last leaf was held back, so that each reason is logged once. Only Sign uses it, and only one
	// goroutine signs.
	held string
}

// Run runs the inner authority with a logger; the source's own is silenced, see SelfManaged.Start.
func (g *gate) Run(ctx context.Context) error {
	return g.Authority.Run(logr.NewContext(ctx, g.log.WithName("authority")))
}

// Sign returns a leaf that may be served from now on, or why there is none.
func (g *gate) Sign(template *x509.Certificate) (*x509.Certificate, error) {
	leaf, err := g.Authority.Sign(template)
	if err != nil {
		g.hold("No serving certificate could be signed, retrying", err)
		return nil, err
	}
	served := g.served()
	if served == nil {
		// There is no call yet to protect, and waiting has no end if it is this replica that must publish the CA.
		// Readiness stays red until the leaf can be verified, so no call comes.
		return leaf, nil
	}
	err = g.verify(leaf)
	if err != nil && !ending(served.Leaf, g.clock.Now()) {
		g.hold("New serving certificate held back, the old one stays", err)
		return nil, err
	}
	if err != nil {
		// The old leaf fails for certain within the hour; the new one works as soon as its CA is published.
		g.log.Error(err, "New serving certificate taken early, since the old one ends", "notAfter", served.Leaf.NotAfter)
	} else {
		g.log.Info("New serving certificate", "notAfter", leaf.NotAfter)
	}
	g.held = ""
	return leaf, nil
}

func (g *gate) hold(message string, reason error) {
	if g.held != reason.Error() {
		g.held = reason.Error()
		g.log.Info(message, "reason", g.held)
	}
}

// ending tells whether leaf has ended, or is in its last hour or last tenth of life, whichever is shorter.
func ending(leaf *x509.Certificate, now time.Time) bool {
	last := min(time.Hour, leaf.NotAfter.Sub(leaf.NotBefore)/10)
	return !now.Before(leaf.NotAfter.Add(-last))
}
