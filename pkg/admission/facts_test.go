package admission

import (
	"strings"
	"sync"
	"testing"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/config"
	"github.com/certwire/certwire/pkg/policy"
)

var defaults = sync.OnceValues(func() (*config.Settings, error) {
	c, err := config.Load("")
	if err != nil {
		return nil, err
	}
	return c.Settings()
})

// known is a hook with the default configuration and an issuer at Let's Encrypt that has an HTTP-01 solver.
func known(t testing.TB, name string, labels map[string]string) *Hook {
	t.Helper()
	settings, err := defaults()
	if err != nil {
		t.Fatal(err)
	}
	issuer := productionIssuer
	issuer.Service, _ = settings.Directories.Service("https://acme-v02.api.letsencrypt.org/directory")
	issuer.Solvers = []policy.Solver{{HTTP01: true, Ingress: true, Class: "traefik", ClassField: "ingressClassName"}}
	h, _ := newHook(t, name, cluster{labels: labels, issuer: issuer})
	guard, ok := h.Reviewer.(*Guard)
	if !ok {
		t.Fatalf("reviewer %T", h.Reviewer)
	}
	guard.Settings = func() *config.Settings { return settings }
	return h
}

// TestFactsReachTheRules asks the guard with real rules: each sentence needs one fact that is gathered around the object.
func TestFactsReachTheRules(t *testing.T) {
	t.Parallel()
	production := map[string]string{"certwire.dev/issuance": "deny", policy.EnvironmentLabel: "production"}
	certificate := func(spec string) string {
		return `{"metadata":{"name":"web"},"spec":{"issuerRef":{"name":"le"},` + spec + `}}`
	}
	issuer := func(solvers string) string {
		return `{"metadata":{"name":"le"},"spec":{"acme":{"server":"https://acme-v02.api.letsencrypt.org/directory","solvers":` + solvers + `}}}`
	}
	for sentence, c := range map[string]struct {
		kind, object, old string
		want              string // in the refusal or a warning
		refused           bool
	}{
		"a name that no CA certifies":     {"Certificate", certificate(`"dnsNames":["a.local"]`), "", `"a.local" has no public suffix`, true},
		"a key that the CA does not sign": {"Certificate", certificate(`"dnsNames":["a.example.com"],"privateKey":{"algorithm":"Ed25519"}`), "", "the private key is Ed25519", true},
		"a renewal time at this moment":   {"Certificate", certificate(`"dnsNames":["a.example.com"],"renewBeforePercentage":99`), "", "all are used up after", true},
		"a name without a solver":         {"Certificate", certificate(`"dnsNames":["*.example.com"]`), "", "a wildcard needs dns01", false},
		"a class that does not exist":     {"Certificate", certificate(`"dnsNames":["a.example.com"]`), "", `ingressClassName "traefik" names no IngressClass`, false},
		"a Secret with another writer":    {"Certificate", `{"metadata":{"name":"other"},"spec":{"issuerRef":{"name":"le"},"secretName":"web-tls"}}`, "", "also written by Certificate web", false},
		"a Secret of its own":             {"Certificate", certificate(`"secretName":"web-tls","dnsNames":["*.example.com"]`), "", "a wildcard needs dns01", false},
		"an issuer whose zone is dead":    {"Issuer", issuer(`[{"http01":{},"selector":{"dnsZones":["*.a.example"]}}]`), "", "can never be used", true},
		"an issuer's class":               {"Issuer", issuer(`[{"http01":{"ingress":{"class":"public"}}}]`), "", `no IngressClass is named "public"`, false},
		"an issuer's new solvers":         {"Issuer", issuer(`[{"http01":{}}]`), issuer(`[{"dns01":{}}]`), "no solver matches *.example.com of Certificate shop/web any longer", false},
		"an issuer without a rehearsal":   {"Issuer", issuer(`[{"http01":{}}]`), issuer(`[{"dns01":{}}]`), "make one like it with server acme-staging-v02.api.letsencrypt.org", false},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			operation := "CREATE"
			if c.old != "" {
				operation = "UPDATE"
			}
			got := post(t, known(t, "guard", production), reviewOf("cert-manager.io", c.kind, operation, c.object, c.old))
			if got.Response.Allowed == c.refused {
				t.Fatalf("refused %v: %s", !got.Response.Allowed, got.text)
			}
			if all := strings.Join(append(got.Response.Warnings, got.Response.Status.Message), "\n"); !strings.Contains(all, c.want) {
				t.Errorf("not said: %s\nin:\n%s", c.want, all)
			}
			if sentence == "a Secret of its own" && strings.Contains(got.text, "also written") {
				t.Error("a Certificate shares its Secret with itself")
			}
		})
	}
}

// TestTheOtherKindIsFound covers an issuer of the same name and the other kind.
func TestTheOtherKindIsFound(t *testing.T) {
	t.Parallel()
	h := known(t, "guard", map[string]string{policy.EnvironmentLabel: "production"})
	guard, ok := h.Reviewer.(*Guard)
	if !ok {
		t.Fatalf("reviewer %T", h.Reviewer)
	}
	guard.Issuance = onlyClusterIssuers{guard.Issuance}
	got := post(t, h, reviewOf("cert-manager.io", "Certificate", "CREATE", `{"spec":{"issuerRef":{"name":"le"},"dnsNames":["a.example.com"]}}`, ""))
	if want := "Issuer le does not exist, but ClusterIssuer le does"; !strings.Contains(got.text, want) {
		t.Errorf("not said: %s in %s", want, got.text)
	}
}

type onlyClusterIssuers struct{ Issuance }

func (o onlyClusterIssuers) Issuer(namespace string, ref policy.IssuerRef, d acme.Directories) policy.Issuer {
	if ref.Kind != string(policy.ClusterIssuer) {
		return policy.Issuer{Ref: ref}
	}
	return o.Issuance.Issuer(namespace, ref, d)
}
