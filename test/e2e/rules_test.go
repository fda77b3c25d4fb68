package e2e

import (
	"context"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	production01 = "https://acme-v02.api.letsencrypt.org/directory"
	staging01    = "https://acme-staging-v02.api.letsencrypt.org/directory"
)

// issuer is an Issuer of one namespace.
func issuer(name, server, solvers string) string {
	return `
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: ` + name + `}
spec: {acme: {server: "` + server + `", privateKeySecretRef: {name: ` + name + `}, solvers: [` + solvers + `]}}
`
}

// fromLE is a Certificate of Issuer le; rest is more of its spec.
func fromLE(name, rest string) string {
	return `
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: ` + name + `}
spec: {secretName: ` + name + `-tls, issuerRef: {name: le}, ` + rest + `}
`
}

// withIssuer makes a production namespace with an Issuer le at Let's Encrypt that both replicas know.
func withIssuer(t *testing.T, issuance, solvers string) string {
	t.Helper()
	ns := namespace(t, "certwire.dev/issuance=deny", "certwire.dev/environment=production")
	mustApply(t, ns, issuer("le", production01, solvers))
	eventually(t, "both replicas know the issuer", func() bool {
		for range 4 {
			if _, err := apply(t, ns, fromLE("probe", "dnsNames: [a.internal]"), "--dry-run=server"); err == nil {
				return false
			}
		}
		return true
	})
	kubectl(t, "label", "namespace", ns, "certwire.dev/issuance="+issuance, "--overwrite")
	eventually(t, "both replicas know the namespace's mode", func() bool {
		for range 4 {
			out, err := apply(t, ns, fromLE("probe", "dnsNames: [a.internal]"), "--dry-run=server")
			if (err != nil) != (issuance == "deny") || strings.Contains(out, "Warning") != (issuance == "warn") {
				return false
			}
		}
		return true
	})
	return ns
}

// said waits until what apply says, in a dry run on any replica, has or lacks a text.
func said(t *testing.T, ns, object, text string, want bool) {
	t.Helper()
	eventually(t, text, func() bool {
		for range 4 {
			out, err := apply(t, ns, object, "--dry-run=server")
			if err != nil || strings.Contains(out, text) != want {
				return false
			}
		}
		return true
	})
}

func TestWhatCanNeverBeIssuedIsRefused(t *testing.T) {
	t.Parallel()
	denying, warning := withIssuer(t, "deny", dns01), withIssuer(t, "warn", dns01)
	for rule, c := range map[string]struct{ spec, text, warning string }{
		"impossible-name": {
			`dnsNames: [www.example.com, db.shop.svc.cluster.local]`,
			`Certificate ` + denying + `/web can never be issued by Issuer le at acme-v02.api.letsencrypt.org (Let's Encrypt, production): ` +
				`"db.shop.svc.cluster.local" has no public suffix (.local is not a public top-level domain). ` +
				`Ask a public CA for public names, and an issuer with a private CA for internal ones. More: https://github.com/certwire/certwire/blob/main/docs/rules.md#impossible-name`,
			`Warning: "db.shop.svc.cluster.local" has no public suffix (.local is not a public top-level domain)`,
		},
		"refused-key": {
			`dnsNames: [www.example.com], privateKey: {algorithm: Ed25519}`,
			`Certificate ` + denying + `/web can never be issued by Issuer le at acme-v02.api.letsencrypt.org (Let's Encrypt, production): the private key is Ed25519`,
			`Warning: the private key is Ed25519`,
		},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			out := refused(t, denying, fromLE("web", c.spec))
			contains(t, out, `admission webhook "certificates.guard.certwire.dev" denied the request: `+c.text)
			if again := refused(t, denying, fromLE("web", c.spec)); again != out {
				t.Errorf("the text is not stable:\n%s\n%s", out, again)
			}
			contains(t, mustApply(t, warning, fromLE("web", c.spec), "--dry-run=server"), c.warning,
				"Warning: refused with certwire.dev/issuance=deny: https://github.com/certwire/certwire/blob/main/docs/rules.md#"+rule)
		})
	}
	t.Run("must-churn", func(t *testing.T) { // by percentage: whatever the CA's lifetime is on the day of this test
		t.Parallel()
		churning := fromLE("web", "dnsNames: [www.example.com], renewBeforePercentage: 99")
		contains(t, refused(t, denying, churning), "because renewBeforePercentage 99 leaves too little of", "docs/rules.md#must-churn")
		contains(t, mustApply(t, warning, churning, "--dry-run=server"), "Warning: renewBeforePercentage 99 then renews every")
	})
	t.Run("what is fine has no warning", func(t *testing.T) {
		t.Parallel()
		containsNot(t, mustApply(t, denying, fromLE("fine", `dnsNames: [www.example.com, "*.shop.example.com"], renewBefore: 360h`)), "Warning")
	})
}

func TestABrownfieldCertificateIsMendedPieceByPiece(t *testing.T) {
	t.Parallel()
	ns := withIssuer(t, "off", dns01)
	mustApply(t, ns, fromLE("web", `dnsNames: [www.internal], privateKey: {algorithm: Ed25519}, renewBeforePercentage: 99`))
	kubectl(t, "label", "namespace", ns, "certwire.dev/issuance=deny", "--overwrite")
	eventually(t, "the namespace denies", func() bool {
		for range 4 {
			if _, err := apply(t, ns, fromLE("other", "dnsNames: [www.internal]"), "--dry-run=server"); err == nil {
				return false
			}
		}
		return true
	})
	patch := func(text string) (string, error) {
		return cluster.Kubectl(t.Context(), "", "patch", "certificate", "web", "-n", ns, "--type=merge", "-p", text)
	}
	for _, text := range []string{
		`{"metadata":{"labels":{"team":"shop"},"finalizers":["example.com/x"]}}`,
		`{"metadata":{"finalizers":[]}}`,
		`{"spec":{"secretTemplate":{"labels":{"a":"b"}}}}`,
		`{"spec":{"renewBeforePercentage":33}}`,           // its name and key are as impossible as before
		`{"spec":{"privateKey":{"algorithm":"ECDSA"}}}`,   // and so is its name
		`{"spec":{"dnsNames":["www.example.com"]}}`,       // now it is well
		`{"spec":{"privateKey":{"rotationPolicy":null}}}`, // and stays so
	} {
		if out, err := patch(text); err != nil {
			t.Errorf("%s was refused: %s", text, out)
		}
	}
	for _, text := range []string{
		`{"spec":{"dnsNames":["www.internal"]}}`, `{"spec":{"privateKey":{"algorithm":"Ed25519"}}}`, `{"spec":{"renewBeforePercentage":99}}`,
	} {
		if out, err := patch(text); err == nil {
			t.Errorf("%s was let through: %s", text, out)
		}
	}
	kubectl(t, "delete", "certificate", "web", "-n", ns)
}

func TestTwoCertificatesWithOneSecret(t *testing.T) {
	t.Parallel()
	ns := withIssuer(t, "deny", dns01)
	mustApply(t, ns, fromLE("web", "dnsNames: [www.example.com]"))
	second := strings.Replace(fromLE("other", "dnsNames: [other.example.com]"), "other-tls", "web-tls", 1)
	said(t, ns, second, "Warning: Secret web-tls of Certificate other is also written by Certificate web", true)
	said(t, ns, fromLE("web", "dnsNames: [www.example.com, b.example.com]"), "is also written by", false)
}

func TestNamesWithoutASolver(t *testing.T) {
	t.Parallel()
	ns := withIssuer(t, "deny", "{http01: {ingress: {}}, selector: {dnsZones: [example.com]}}")
	out := mustApply(t, ns, fromLE("web", `dnsNames: ["*.example.com", a.www.example.com, www.example.org]`))
	contains(t, out, "Warning: no solver of Issuer le can prove *.example.com: a wildcard needs dns01",
		"Warning: no solver of Issuer le can prove www.example.org: no selector matches")
	containsNot(t, out, "can prove a.www.example.com")
}

func TestAnIngressClassThatDoesNotExist(t *testing.T) {
	t.Parallel()
	const name = "certwire-rules-test"
	solver := "{http01: {ingress: {ingressClassName: " + name + "}}}"
	ns := withIssuer(t, "deny", solver)
	another := issuer("another", production01, solver)
	const missing = `ingressClassName "` + name + `" names no IngressClass of this cluster`
	said(t, ns, another, "Warning: spec.acme.solvers[0]: "+missing, true)
	said(t, ns, fromLE("web", "dnsNames: [www.example.com]"), "Warning: Issuer le: "+missing, true)
	t.Cleanup(func() {
		if err := cluster.Client.NetworkingV1().IngressClasses().Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	mustApply(t, "", "{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: "+name+"}, spec: {controller: example.com/none}}")
	said(t, ns, another, missing, false)
	said(t, ns, fromLE("web", "dnsNames: [www.example.com]"), missing, false)
}

func TestAZoneWithAnAsterisk(t *testing.T) {
	t.Parallel()
	denying, warning := withIssuer(t, "deny", dns01), withIssuer(t, "warn", dns01)
	dead := issuer("dead", staging01, `{http01: {ingress: {}}, selector: {dnsZones: ["*.example.com"]}}`)
	contains(t, refused(t, denying, dead), "Issuer "+denying+"/dead: spec.acme.solvers[0] can never be used, because its dnsZones match no name: *.example.com")
	contains(t, mustApply(t, warning, dead), `Warning: spec.acme.solvers[0]: dnsZones "*.example.com" matches no name; write "example.com"`)
	// What is there may stay while something else changes.
	kubectl(t, "label", "namespace", warning, "certwire.dev/issuance=deny", "--overwrite")
	eventually(t, "the namespace denies", func() bool {
		for range 4 {
			if _, err := apply(t, warning, strings.Replace(dead, "name: dead}", "name: more}", 1), "--dry-run=server"); err == nil {
				return false
			}
		}
		return true
	})
	kubectl(t, "label", "issuer", "dead", "-n", warning, "team=shop")
	mustApply(t, warning, issuer("dead", staging01, `{http01: {ingress: {}}, selector: {dnsZones: ["*.example.com"]}}, `+dns01))
}

func TestAChangeWithoutARehearsal(t *testing.T) {
	t.Parallel()
	ns := withIssuer(t, "deny", dns01)
	const http01 = "{http01: {ingress: {}}}"
	mustApply(t, ns, fromLE("web", "dnsNames: [www.example.com]"))
	changed := issuer("le", production01, http01)
	said(t, ns, changed, "Warning: Issuer le is used by 1 Certificate, and this change has not worked on staging yet", true)
	said(t, ns, changed, "Warning: make one like it with server acme-staging-v02.api.letsencrypt.org, and issue from that first", true)
	mustApply(t, ns, issuer("rehearsal", staging01, dns01))
	said(t, ns, changed, "Warning: Issuer rehearsal has other solvers", true)
	mustApply(t, ns, issuer("rehearsal", staging01, http01))
	said(t, ns, changed, "Warning: Issuer rehearsal has the same solvers but is not Ready", true)
	kubectl(t, "patch", "issuer", "rehearsal", "-n", ns, "--subresource=status", "--type=merge", "-p", `{"status":{"conditions":[{"type":"Ready","status":"True"}]}}`)
	said(t, ns, changed, "staging", false)
	containsNot(t, mustApply(t, ns, issuer("le", production01, http01)), "staging")
}

func TestIssuersThatCannotAnswer(t *testing.T) {
	t.Parallel()
	issuers(t)
	ns := withIssuer(t, "deny", dns01)
	said(t, ns, strings.Replace(fromLE("web", "dnsNames: [www.example.com]"), "{name: le}", "{name: letsencrypt-prod}", 1),
		"Warning: Issuer letsencrypt-prod does not exist, but ClusterIssuer letsencrypt-prod does: set spec.issuerRef.kind: ClusterIssuer", true)
	kubectl(t, "patch", "issuer", "le", "-n", ns, "--subresource=status", "--type=merge", "-p",
		`{"status":{"conditions":[{"type":"Ready","status":"False","reason":"ErrRegisterACMEAccount"}]}}`)
	said(t, ns, fromLE("web", "dnsNames: [www.example.com]"), "Warning: Issuer le is not Ready (ErrRegisterACMEAccount), so nothing is issued until it is", true)
}
