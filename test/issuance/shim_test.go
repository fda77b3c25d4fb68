package issuance

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// useUp has a set of names issued until its bucket is empty, in a namespace of its own.
func useUp(t *testing.T, names ...string) {
	t.Helper()
	used(t, perSet, names...)
}

// used has a set of names issued so many times, in a namespace of its own, which it returns.
func used(t *testing.T, times int, names ...string) (ns string) {
	t.Helper()
	ns, _ = guarded(t)
	mustApply(t, ns, certificate("filler", productionIssuer, names...))
	ready(t, ns, "filler")
	for n := 2; n <= times; n++ {
		kubectl(t, "delete", "secret", "filler-tls", "-n", ns)
		eventually(t, "it is issued again", func() bool { return certManager.Issued(production, names...) == n })
		ready(t, ns, "filler")
	}
	counts(t, production, times, names...)
	return ns
}

// told returns the texts of the Events with a reason on an object.
func told(t *testing.T, ns, kind, name, reason string) []string {
	t.Helper()
	var texts []string
	for _, e := range list(t, ns, &corev1.EventList{}).Items {
		if o := e.InvolvedObject; o.Kind == kind && o.Name == name && e.Reason == reason {
			texts = append(texts, e.Message)
		}
	}
	return texts
}

func TestWhoMadeTheIngressIsToldThatItsOrderIsRefused(t *testing.T) {
	t.Parallel()
	for kind, text := range map[string]string{
		"Ingress": `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, annotations: {cert-manager.io/cluster-issuer: ISSUER}}
spec:
  tls:
  - {hosts: [shop.DOMAIN], secretName: shop-tls}
  - {hosts: [other.DOMAIN], secretName: other-tls}
  defaultBackend: {service: {name: shop, port: {number: 80}}}
`,
		"Gateway": `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: shop, annotations: {cert-manager.io/cluster-issuer: ISSUER}}
spec:
  gatewayClassName: none
  listeners:
  - {name: shop, hostname: shop.DOMAIN, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: shop-tls}]}}
  - {name: other, hostname: other.DOMAIN, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: other-tls}]}}
`,
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			ns, domain := guarded(t)
			useUp(t, "shop."+domain)
			text := strings.NewReplacer("ISSUER", productionIssuer, "DOMAIN", domain).Replace(text)
			if out, err := apply(t, ns, text); err != nil {
				t.Fatalf("the %s itself was refused: %s", kind, out)
			}

			eventually(t, "its Certificate is made all the same", func() bool {
				_, err := cluster.Kubectl(t.Context(), "", "get", "certificate", "shop-tls", "-n", ns)
				return err == nil
			})
			refusal := waiting(t, ns)
			for on, name := range map[string]string{"Certificate": "shop-tls", kind: "shop"} {
				eventually(t, "an Event on the "+on, func() bool { return len(told(t, ns, on, name, "OrderRefused")) > 0 })
				events := told(t, ns, on, name, "OrderRefused")
				if len(events) != 1 || !strings.HasSuffix(refusal, events[0]) {
					t.Errorf("the %s is told %q, want once %q", on, events, refusal)
				}
			}
			eventually(t, "the other one is issued", func() bool { return certManager.Issued(production, "other."+domain) == 1 })
			kubectl(t, "wait", "--for=condition=Ready", "certificate/other-tls", "-n", ns, "--timeout=1m")
			counts(t, production, perSet, "shop."+domain)
			if texts := told(t, ns, "Certificate", "other-tls", "OrderRefused"); len(texts) > 0 {
				t.Errorf("the other one is told %q", texts)
			}
		})
	}
}
