package e2e

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

const docs = "https://github.com/certwire/certwire/blob/main/docs/rules.md#production-ca"

// dns01 is a solver for every name.
const dns01 = "{dns01: {cloudflare: {apiTokenSecretRef: {name: cloudflare, key: token}}}}"

// issuers makes ClusterIssuers for Let's Encrypt, once for all tests, with names that say nothing of the directory.
func issuers(t *testing.T) {
	t.Helper()
	mustApply(t, "", `
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: letsencrypt-prod}
spec: {acme: {server: "https://ACME-v02.api.letsencrypt.org:443/directory", privateKeySecretRef: {name: a}, solvers: [`+dns01+`]}}
---
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: letsencrypt-staging}
spec: {acme: {server: "https://acme-staging-v02.api.letsencrypt.org/directory", privateKeySecretRef: {name: b}, solvers: [`+dns01+`]}}
`, "--server-side") // tests run side by side
	ns := namespace(t, "certwire.dev/issuance=deny")
	eventually(t, "both replicas know the issuers", func() bool {
		for range 4 {
			out, err := apply(t, ns, production("web", "letsencrypt-prod"), "--dry-run=server")
			if err == nil || !strings.Contains(out, "Use ClusterIssuer letsencrypt-staging") {
				return false
			}
		}
		return true
	})
}

func production(name, issuer string) string {
	return `
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: ` + name + `}
spec:
  secretName: ` + name + `-tls
  dnsNames: [` + name + `.example.com]
  issuerRef: {name: ` + issuer + `, kind: ClusterIssuer}
`
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	issuers(t)
	ns := namespace(t, "certwire.dev/issuance=deny", "certwire.dev/environment=staging")
	tail := `, whose ACME directory is acme-v02.api.letsencrypt.org (Let's Encrypt, production), but namespace ` + ns +
		` is "staging" (label certwire.dev/environment) and not production. Use ClusterIssuer letsencrypt-staging (acme-staging-v02.api.letsencrypt.org) instead, ` +
		`or label the namespace certwire.dev/environment=production if that is what it is. More: ` + docs

	t.Run("a Certificate, in words", func(t *testing.T) {
		out := refused(t, ns, production("web", "letsencrypt-prod"))
		contains(t, out, `admission webhook "certificates.guard.certwire.dev" denied the request: Certificate `+ns+
			`/web would order from ClusterIssuer letsencrypt-prod`+tail)
		if again := refused(t, ns, production("web", "letsencrypt-prod")); again != out {
			t.Errorf("the text is not stable:\n%s\n%s", out, again)
		}
	})
	t.Run("an Order, in words, closed and stable", func(t *testing.T) {
		order := `
apiVersion: acme.cert-manager.io/v1
kind: Order
metadata: {name: web-1}
spec: {request: eA==, dnsNames: [web.example.com], issuerRef: {name: letsencrypt-prod, kind: ClusterIssuer}}
`
		out := refused(t, ns, order)
		contains(t, out, `admission webhook "orders.guard.certwire.dev" denied the request: Order `+ns+`/web-1 would order from ClusterIssuer letsencrypt-prod`+tail)
	})
	t.Run("a raw CertificateRequest", func(t *testing.T) {
		contains(t, refused(t, ns, `
apiVersion: cert-manager.io/v1
kind: CertificateRequest
metadata: {name: raw}
spec: {request: eA==, issuerRef: {name: letsencrypt-prod, kind: ClusterIssuer}}
`), "CertificateRequest "+ns+"/raw would order from")
	})
	t.Run("an Issuer by its own directory, under a harmless name", func(t *testing.T) {
		contains(t, refused(t, ns, `
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: harmless}
spec: {acme: {server: "https://acme-v02.api.letsencrypt.org./directory", privateKeySecretRef: {name: a}, solvers: []}}
`), "Issuer "+ns+"/harmless uses the ACME directory acme-v02.api.letsencrypt.org")
	})
	t.Run("an Ingress by its annotation", func(t *testing.T) {
		contains(t, refused(t, ns, `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, annotations: {cert-manager.io/cluster-issuer: letsencrypt-prod}}
spec:
  tls: [{hosts: [web.example.com], secretName: web-tls}]
  defaultBackend: {service: {name: web, port: {number: 80}}}
`), `admission webhook "ingresses.guard.certwire.dev" denied the request: Ingress `+ns+`/web would order from`)
	})
	t.Run("a Gateway by its annotation", func(t *testing.T) {
		contains(t, refused(t, ns, `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web, annotations: {cert-manager.io/cluster-issuer: letsencrypt-prod}}
spec:
  gatewayClassName: x
  listeners: [{name: https, hostname: web.example.com, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: web-tls}]}}]
`), "Gateway "+ns+"/web would order from")
	})
}

func TestWhatPasses(t *testing.T) {
	t.Parallel()
	issuers(t)
	t.Run("everything in a production namespace", func(t *testing.T) {
		ns := namespace(t, "certwire.dev/issuance=deny", "certwire.dev/environment=production")
		containsNot(t, mustApply(t, ns, production("web", "letsencrypt-prod")), "Warning")
	})
	t.Run("staging in any namespace", func(t *testing.T) {
		ns := namespace(t, "certwire.dev/issuance=deny")
		containsNot(t, mustApply(t, ns, production("web", "letsencrypt-staging")), "Warning")
	})
	t.Run("production with a warning where the namespace says nothing", func(t *testing.T) {
		ns := namespace(t)
		contains(t, mustApply(t, ns, production("web", "letsencrypt-prod")),
			"Warning: Certificate "+ns+"/web: acme-v02.api.letsencrypt.org is a production CA",
			"Warning: use ClusterIssuer letsencrypt-staging instead; with certwire.dev/issuance=deny on the namespace this is refused")
	})
	t.Run("silence where the namespace says off", func(t *testing.T) {
		ns := namespace(t, "certwire.dev/issuance=off")
		containsNot(t, mustApply(t, ns, production("web", "letsencrypt-prod")), "Warning")
	})
	t.Run("an issuer that does not exist yet, with a warning", func(t *testing.T) {
		ns := namespace(t, "certwire.dev/issuance=deny")
		contains(t, mustApply(t, ns, production("web", "nowhere")), "Warning: ClusterIssuer nowhere does not exist (yet)")
	})
	t.Run("a brownfield object, until what it orders changes", func(t *testing.T) {
		ns := namespace(t, "certwire.dev/issuance=off")
		mustApply(t, ns, production("web", "letsencrypt-prod"))
		kubectl(t, "label", "namespace", ns, "certwire.dev/issuance=deny", "--overwrite")
		eventually(t, "the namespace denies", func() bool {
			_, err := apply(t, ns, production("other", "letsencrypt-prod"), "--dry-run=server")
			return err != nil
		})
		kubectl(t, "label", "certificate", "web", "-n", ns, "team=shop")
		kubectl(t, "annotate", "certificate", "web", "-n", ns, "note=x")
		patch := func(text string, flags ...string) (string, error) {
			return cluster.Kubectl(t.Context(), "", append([]string{"patch", "certificate", "web", "-n", ns, "--type=merge", "-p", text}, flags...)...)
		}
		for _, text := range []string{
			`{"spec":{"secretTemplate":{"labels":{"a":"b"}}}}`,      // only re-writes the Secret
			`{"spec":{"issuerRef":{"group":"cert-manager.io"}}}`,    // a default spelled out
			`{"metadata":{"finalizers":["example.com/x"]}}`,         // finalizers come
			`{"metadata":{"finalizers":[],"labels":{"team":null}}}`, // and go
		} {
			if out, err := patch(text); err != nil {
				t.Errorf("%s was refused: %s", text, out)
			}
		}
		if out, err := patch(`{"spec":{"dnsNames":["more.example.com"]}}`); err == nil {
			t.Errorf("a new name was let through: %s", out)
		}
		// cert-manager's own writes to the status are never looked at.
		if out, err := patch(`{"status":{"conditions":[{"type":"Issuing","status":"True","reason":"ManuallyTriggered"}]}}`, "--subresource=status"); err != nil {
			t.Errorf("a status update was refused: %s", out)
		}
		kubectl(t, "delete", "certificate", "web", "-n", ns)
	})
	t.Run("a Certificate that ingress-shim made, with a warning: the Order decides", func(t *testing.T) {
		ns := namespace(t, "certwire.dev/issuance=deny")
		owned := strings.Replace(production("web", "letsencrypt-prod"), "{name: web}",
			"{name: web, ownerReferences: [{apiVersion: networking.k8s.io/v1, kind: Ingress, name: web, uid: 8a0e5a1c-0000-4000-8000-000000000000, controller: true}]}", 1)
		contains(t, mustApply(t, ns, owned, "--dry-run=server"), "Warning: ")
	})
}

func TestADueRenewalPassesAtTheOrder(t *testing.T) {
	t.Parallel()
	issuers(t)
	ns := namespace(t, "certwire.dev/issuance=off")
	mustApply(t, ns, production("web", "letsencrypt-prod"))
	kubectl(t, "label", "namespace", ns, "certwire.dev/issuance=deny", "--overwrite")
	order := `
apiVersion: acme.cert-manager.io/v1
kind: Order
metadata: {name: web-2, annotations: {cert-manager.io/certificate-name: web}}
spec: {request: eA==, dnsNames: [web.example.com], issuerRef: {name: letsencrypt-prod, kind: ClusterIssuer}}
`
	eventually(t, "an Order of a Certificate that was never issued is refused", func() bool {
		_, err := apply(t, ns, order, "--dry-run=server")
		return err != nil
	})
	kubectl(t, "patch", "certificate", "web", "-n", ns, "--subresource=status", "--type=merge", "-p",
		`{"status":{"revision":1,"notAfter":"2100-01-01T00:00:00Z","renewalTime":"2020-01-01T00:00:00Z"}}`)
	passes := func(order string) func() bool {
		return func() bool {
			for range 4 { // both replicas
				if _, err := apply(t, ns, order, "--dry-run=server"); err != nil {
					return false
				}
			}
			return true
		}
	}
	eventually(t, "the Order of a due renewal passes", passes(order))

	// The last Order tells which CA issued what.
	mustApply(t, ns, strings.Replace(order, "web-2", "web-1", 1))
	last := func(url string) {
		kubectl(t, "patch", "order", "web-1", "-n", ns, "--subresource=status", "--type=merge", "-p", `{"status":{"state":"valid","url":"`+url+`"}}`)
	}
	last("https://acme-staging-v02.api.letsencrypt.org/acme/order/1/2")
	eventually(t, "what staging issued is no renewal in production", func() bool {
		_, err := apply(t, ns, order, "--dry-run=server")
		return err != nil
	})
	last("https://acme-v02.api.letsencrypt.org/acme/order/1/2")
	eventually(t, "what production issued is", passes(order))
	refused(t, ns, strings.Replace(order, "web.example.com", "other.example.com", 1), "--dry-run=server")
}

func TestAClusterIssuerThatMovesToProduction(t *testing.T) {
	t.Parallel()
	move := func(server string) string {
		return mustApply(t, "", `
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: moving}
spec: {acme: {server: "`+server+`", privateKeySecretRef: {name: a}, solvers: []}}
`)
	}
	move("https://acme-staging-v02.api.letsencrypt.org/directory")
	ns := namespace(t, "certwire.dev/environment=qa")
	mustApply(t, ns, production("web", "moving"))
	live := namespace(t, "certwire.dev/environment=production")
	mustApply(t, live, production("web", "moving"))
	eventually(t, "the warning names the namespace that is not production, and that alone", func() bool {
		move("https://acme-staging-v02.api.letsencrypt.org/directory")
		out := move("https://acme-v02.api.letsencrypt.org/directory")
		return strings.Contains(out, "Warning: not production but using it: "+ns+"; their new orders fall under rule production-ca")
	})
}

func TestBreakGlass(t *testing.T) {
	t.Parallel()
	issuers(t)
	ns := namespace(t, "certwire.dev/issuance=deny")
	kubectl(t, "create", "rolebinding", "edit", "-n", ns, "--clusterrole=admin", "--user=alice")
	mustApply(t, ns, `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: certificates}
rules: [{apiGroups: [cert-manager.io], resources: [certificates], verbs: ["*"]}]
`)
	kubectl(t, "create", "rolebinding", "certificates", "-n", ns, "--role=certificates", "--user=alice")
	broken := strings.Replace(production("web", "letsencrypt-prod"), "{name: web}", `{name: web, annotations: {certwire.dev/break-glass: "incident 7"}}`, 1)

	out := refused(t, ns, broken, "--as=alice")
	contains(t, out, "the requester lacks the verb break-glass on rules.certwire.dev production-ca here")
	kubectl(t, "create", "rolebinding", "break-glass", "-n", ns, "--clusterrole=certwire-break-glass", "--user=alice")
	eventually(t, "with the verb and the reason it passes", func() bool {
		out, err := apply(t, ns, broken, "--as=alice")
		return err == nil && strings.Contains(out, "let through by break-glass for web, which is in the audit log")
	})
	// The verb alone is not enough: a pipeline that may do everything still has to mean it.
	contains(t, refused(t, ns, production("other", "letsencrypt-prod")), "denied the request")
	if cluster.AuditLog == "" {
		return // a cluster of somebody else's keeps its audit log to itself
	}
	eventually(t, "the audit log has it", func() bool {
		f, err := os.Open(cluster.AuditLog)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if l := lines.Text(); strings.Contains(l, `"certificates.guard.certwire.dev/break-glass":"incident 7"`) &&
				strings.Contains(l, `"certificates.guard.certwire.dev/break-glass-by":"alice"`) {
				return true
			}
		}
		return false
	})
}
