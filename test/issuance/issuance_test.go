package issuance

import (
	"strings"
	"testing"
)

func TestACertificateIsIssued(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	names := []string{"www." + ns + ".example.com", ns + ".example.com"}
	web := certificate("web", stagingIssuer, names...)
	mustApply(t, ns, web)
	ready(t, ns, "web")
	counts(t, staging, 1, names...)

	t.Run("not again when the Certificate comes back and its Secret was kept", func(t *testing.T) {
		kubectl(t, "delete", "certificate", "web", "-n", ns)
		mustApply(t, ns, web)
		ready(t, ns, "web")
		// What comes later has been ordered: cert-manager has looked at this one, too.
		mustApply(t, ns, certificate("later", stagingIssuer, "later."+ns+".example.com"))
		ready(t, ns, "later")
		counts(t, staging, 1, names...)
	})
	t.Run("once more when both are gone", func(t *testing.T) {
		kubectl(t, "delete", "certificate", "web", "-n", ns)
		kubectl(t, "delete", "secret", "web-tls", "-n", ns)
		mustApply(t, ns, web)
		ready(t, ns, "web")
		counts(t, staging, 2, names...)
	})
	t.Run("once more when the Secret goes", func(t *testing.T) {
		kubectl(t, "delete", "secret", "web-tls", "-n", ns)
		eventually(t, "the CA has issued a third time", func() bool { return certManager.Issued(staging, names...) == 3 })
		ready(t, ns, "web")
		counts(t, staging, 3, names...)
	})
}

func TestIngressesAndGatewaysOrder(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	mustApply(t, ns, `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, annotations: {cert-manager.io/cluster-issuer: `+stagingIssuer+`}}
spec:
  tls: [{hosts: [ingress.`+ns+`.example.com], secretName: ingress-tls}]
  defaultBackend: {service: {name: web, port: {number: 80}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web, annotations: {cert-manager.io/cluster-issuer: `+stagingIssuer+`}}
spec:
  gatewayClassName: none
  listeners:
  - {name: https, hostname: gateway.`+ns+`.example.com, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: gateway-tls}]}}
`)
	for _, kind := range []string{"ingress", "gateway"} {
		name := kind + "." + ns + ".example.com"
		eventually(t, "the CA has issued for the "+kind, func() bool { return certManager.Issued(staging, name) > 0 })
		counts(t, staging, 1, name)
	}
}

func TestARefusedOrderNeverReachesTheCA(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "certwire.dev/issuance=off", "certwire.dev/environment=staging")
	name := ns + ".example.com"
	mustApply(t, ns, certificate("web", productionIssuer, name))
	ready(t, ns, "web")
	counts(t, production, 1, name)

	refuses := func(want bool) func() bool {
		return func() bool {
			for range 4 { // both replicas
				out, err := apply(t, ns, certificate("other", productionIssuer, "other."+name), "--dry-run=server")
				if refused := err != nil && strings.Contains(out, "denied the request"); refused != want {
					return false
				}
			}
			return true
		}
	}
	kubectl(t, "label", "namespace", ns, "certwire.dev/issuance=deny", "--overwrite")
	eventually(t, "certwire refuses", refuses(true))

	// Somebody deletes the Secret: cert-manager wants another one, and is told why it gets none.
	kubectl(t, "delete", "secret", "web-tls", "-n", ns)
	eventually(t, "the request says that it was refused, and why", func() bool {
		out := kubectl(t, "get", "certificaterequests", "-n", ns, "-o", "jsonpath={.items[*].status.conditions}")
		return strings.Contains(out, `admission webhook \"orders.guard.certwire.dev\" denied the request`)
	})
	counts(t, production, 1, name)

	// Once it is allowed, a touch of the request is enough for cert-manager to try again at once.
	kubectl(t, "label", "namespace", ns, "certwire.dev/issuance=off", "--overwrite")
	eventually(t, "certwire lets it pass", refuses(false))
	kubectl(t, "annotate", "certificaterequests", "--all", "-n", ns, "touched=now")
	eventually(t, "the CA has issued", func() bool { return certManager.Issued(production, name) == 2 })
	ready(t, ns, "web")
	counts(t, production, 2, name)
}
