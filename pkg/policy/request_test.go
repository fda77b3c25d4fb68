package policy

import (
	"testing"

	"github.com/certwire/certwire/pkg/acme"
)

func TestKindOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		group, kind string
		want        bool
	}{
		{"cert-manager.io", "Certificate", true},
		{"cert-manager.io", "ClusterIssuer", true},
		{"acme.cert-manager.io", "Order", true},
		{"cert-manager.io", "Order", false},
		{"networking.k8s.io", "Ingress", true},
		{"extensions", "Ingress", false},
		{"gateway.networking.k8s.io", "Gateway", true},
		{"networking.istio.io", "Gateway", false},
		{"apps", "Deployment", false},
		{"", "", false},
	} {
		if _, got := KindOf(c.group, c.kind); got != c.want {
			t.Errorf("%s/%s: %t", c.group, c.kind, got)
		}
	}
}

func TestChooseStaging(t *testing.T) {
	t.Parallel()
	at := func(kind, name, ca string, stage acme.Stage) Issuer {
		return Issuer{Ref: NewIssuerRef(name, kind, ""), Directory: acme.Directory{CA: ca, Stage: stage}}
	}
	own, other := at("Issuer", "own", "A", acme.Staging), at("ClusterIssuer", "other", "B", acme.Staging)
	shared, early := at("ClusterIssuer", "shared", "A", acme.Staging), at("ClusterIssuer", "early", "A", acme.Staging)
	for sentence, c := range map[string]struct {
		inReach []Issuer
		want    string
	}{
		"there is none":                          {nil, ""},
		"a production issuer is none":            {[]Issuer{at("ClusterIssuer", "prod", "A", acme.Production)}, ""},
		"the same CA comes before another":       {[]Issuer{other, own}, "own"},
		"another CA is better than none":         {[]Issuer{other}, "other"},
		"a ClusterIssuer comes before an Issuer": {[]Issuer{own, shared}, "shared"},
		"then the first by name":                 {[]Issuer{shared, early}, "early"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			got := ChooseStaging(c.inReach, "A")
			if (got == nil) != (c.want == "") || got != nil && got.Ref.Name != c.want {
				t.Errorf("got %v, want %q", got, c.want)
			}
		})
	}
}
