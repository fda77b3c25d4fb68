package probe_test

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/test/pki"
)

func served(chain ...*x509.Certificate) probe.Result {
	r := probe.Result{State: probe.Served, Leaf: probe.NewLeaf(chain[0])}
	for _, c := range chain {
		r.Chain = append(r.Chain, probe.FingerprintOf(c.Raw))
	}
	return r
}

func TestCompare(t *testing.T) {
	t.Parallel()
	ca := pki.NewAuthority(t)
	names := []string{"example.com", "www.example.com"}
	now := time.Now()
	wanted := ca.Leaf(t, names, pki.From(now))
	renamed := ca.Leaf(t, names[:1], pki.From(now.Add(-time.Hour)))
	for sentence, c := range map[string]struct {
		result probe.Result
		want   probe.Match
	}{
		"the chain of the file":                  {served(wanted.Chain...), probe.Current},
		"the chain and its root":                 {served(append(wanted.Chain, ca.Root)...), probe.Current},
		"the leaf without its intermediate":      {served(wanted.Chain[0]), probe.Incomplete},
		"an older leaf for the names":            {served(ca.Leaf(t, names, pki.From(now.Add(-time.Hour))).Chain...), probe.Previous},
		"an older leaf that had other names":     {served(renamed.Chain...), probe.Previous},
		"a newer leaf for the names":             {served(ca.Leaf(t, names, pki.From(now.Add(time.Hour))).Chain...), probe.Ahead},
		"another leaf with one of the names":     {served(ca.Leaf(t, names[1:]).Chain...), probe.Other},
		"another service's leaf":                 {served(ca.Leaf(t, []string{"example.org"}).Chain...), probe.Foreign},
		"a self-signed leaf for another name":    {served(pki.SelfSigned(t, []string{"example.org"}).Chain...), probe.Foreign},
		"an ingress controller's own":            {served(pki.SelfSigned(t, []string{"ingress.local"}).Chain...), probe.Default},
		"traefik's own":                          {served(pki.SelfSigned(t, nil, pki.CommonName("TRAEFIK DEFAULT CERT")).Chain...), probe.Default},
		"nothing, the server is not reachable":   {probe.Result{State: probe.Unreachable, Cause: probe.CauseRefused}, probe.Unknown},
		"nothing, the server does not speak TLS": {probe.Result{State: probe.NotTLS, Cause: probe.CausePlain}, probe.Unknown},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := probe.Wanted{Chain: wanted.Chain, Previous: []probe.Fingerprint{probe.FingerprintOf(renamed.Chain[0].Raw)}}
			if got := probe.Compare(c.result, w); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	t.Run("the wanted chain holds its root", func(t *testing.T) {
		t.Parallel()
		w := probe.Wanted{Chain: append(wanted.Chain[:2:2], ca.Root)}
		if got := probe.Compare(served(wanted.Chain...), w); got != probe.Current {
			t.Errorf("got %s", got)
		}
	})
	t.Run("nothing is wanted", func(t *testing.T) {
		t.Parallel()
		if got := probe.Compare(served(wanted.Chain...), probe.Wanted{}); got != probe.Unknown {
			t.Errorf("got %s", got)
		}
	})
}
