package doctor

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/cluster"
)

// soon is how little of the authority's life is left when something must have gone wrong: certwire makes the next one a
// third before its end (certs, Options.CADuration, a year).
const soon = 30 * 24 * time.Hour

// webhooks looks at both configurations, and at the authority in them that the API server trusts.
func (d *doctor) webhooks(ctx context.Context) {
	var bundles [][]byte
	complete := true
	key := client.ObjectKey{Name: configurationName}
	var mutating admissionregistrationv1.MutatingWebhookConfiguration
	var validating admissionregistrationv1.ValidatingWebhookConfiguration
	for _, c := range []struct {
		kind    string
		object  client.Object
		bundles func() [][]byte
	}{
		{"MutatingWebhookConfiguration", &mutating, func() (all [][]byte) {
			for _, w := range mutating.Webhooks {
				all = append(all, w.ClientConfig.CABundle)
			}
			return all
		}},
		{"ValidatingWebhookConfiguration", &validating, func() (all [][]byte) {
			for _, w := range validating.Webhooks {
				all = append(all, w.ClientConfig.CABundle)
			}
			return all
		}},
	} {
		err := d.cluster.Get(ctx, key, c.object)
		have := c.bundles()
		without := 0
		for _, b := range have {
			if len(b) == 0 {
				without++
			}
		}
		switch {
		case apierrors.IsNotFound(err) || err == nil && len(have) == 0:
			d.fail("webhooks", install, "there is no %s %s with webhooks in it", c.kind, configurationName)
		case err != nil:
			complete = false
			d.warn("webhooks", "", "could not look at %s %s: %s", c.kind, configurationName, cluster.Why(err))
		case without > 0:
			d.fail("webhooks", d.logs(), "%d of %d webhooks of %s %s have no caBundle: the API server cannot call them", without, len(have), c.kind, configurationName)
		default:
			d.ok("webhooks", "%s %s has %d webhooks, all with a caBundle", c.kind, configurationName, len(have))
		}
		bundles = append(bundles, have...)
	}
	if len(bundles) > 0 || complete {
		d.authority(bundles)
	}
}

// authority says until when the API server can trust certwire's serving certificates. The leaf itself is in no object; that
// it fits is shown by a trial that works.
func (d *doctor) authority(bundles [][]byte) {
	const check = "serving certificate"
	var ends time.Time // the first caBundle's to end
	for _, b := range bundles {
		if last, ok := lastEnd(b); ok && (ends.IsZero() || last.Before(ends)) {
			ends = last
		}
	}
	when := ends.UTC().Format(time.DateOnly)
	switch {
	case ends.IsZero():
		d.warn(check, d.logs(), "there is no certificate in the caBundles to look at")
	case !ends.After(d.now):
		d.fail(check, d.logs(), "the authority in a caBundle ended on %s", when)
	case ends.Sub(d.now) < soon:
		d.warn(check, d.logs(), "the authority in a caBundle ends on %s, and should have been renewed", when)
	default:
		d.ok(check, "its authority ends on %s (in %d days), and is renewed before by itself, as the leaves are", when, int(ends.Sub(d.now).Hours()/24))
	}
}

// lastEnd is when the last authority of a bundle ends.
func lastEnd(bundle []byte) (time.Time, bool) {
	var last time.Time
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		if ca, err := x509.ParseCertificate(block.Bytes); err == nil && ca.NotAfter.After(last) {
			last = ca.NotAfter
		}
	}
	return last, !last.IsZero()
}

// labelled is the command that labels a namespace.
func labelled(namespace, label string) string {
	return fmt.Sprintf("kubectl label namespace %s %s", namespace, label)
}
