package policy

import "testing"

func TestIngressClass(t *testing.T) {
	t.Parallel()
	issuer := func(solvers string) string {
		return `{metadata: {name: le}, spec: {acme: {` + leIssuer + `, solvers: ` + solvers + `}}}`
	}
	known := func(r *Request) { r.IngressClasses = []string{"nginx"} }
	with := func(text string) func(*Request) {
		return func(r *Request) { r.Issuer.Solvers = NewSolvers(solvers(t, text)) }
	}
	const (
		traefik = `[{http01: {ingress: {ingressClassName: traefik}}}, {dns01: {}}]`
		spec    = `spec: {dnsNames: [a.example.com, b.example.com], issuerRef: {name: le}}`
		last    = "a class that nobody serves fails every HTTP-01 challenge, until the limit for failures stops you"
	)
	annotated := func(annotation string) string {
		return `{metadata: {annotations: {` + annotation + `}}, spec: {dnsNames: [a.example.com], issuerRef: {name: le}}}`
	}
	for sentence, c := range map[string]expectation{
		"an Issuer's classes are looked up": {
			request: built(t, IssuerKind, issuer(`[{http01: {ingress: {ingressClassName: traefik}}}, {http01: {ingress: {class: public}}}, {http01: {ingress: {class: nginx}}}]`), known),
			reason:  ReasonIngressClass,
			warnings: []string{
				`spec.acme.solvers[0]: ingressClassName "traefik" names no IngressClass of this cluster`,
				`spec.acme.solvers[1]: no IngressClass is named "public"; does a controller serve that annotation?`,
				last, "more: " + Docs(IngressClass),
			},
		},
		"a Certificate that would use one": {
			request: certificate(t, spec, known, with(traefik)), reason: ReasonIngressClass,
			warnings: []string{`Issuer le: ingressClassName "traefik" names no IngressClass of this cluster`, last, "more: " + Docs(IngressClass)},
		},
		"a Certificate whose names have another solver": {request: certificate(t, `spec: {dnsNames: ["*.example.com"], issuerRef: {name: le}}`, known, with(traefik))},
		"a Certificate's own class counts":              {request: certificate(t, annotated(`acme.cert-manager.io/http01-override-ingress-ingressclassname: nginx`), known, with(traefik))},
		"a Certificate's own class is looked up": {
			request: certificate(t, annotated(`acme.cert-manager.io/http01-override-ingress-class: public`), known, with(traefik)), reason: ReasonIngressClass,
			warnings: []string{`its annotation: no IngressClass is named "public"; does a controller serve that annotation?`, last, "more: " + Docs(IngressClass)},
		},
		"a Certificate that names an Ingress":  {request: certificate(t, annotated(`acme.cert-manager.io/http01-override-ingress-name: web`), known, with(traefik))},
		"an override does not reach a Gateway": {request: certificate(t, annotated(`acme.cert-manager.io/http01-override-ingress-class: public`), known, with(`[{http01: {gatewayHTTPRoute: {}}}]`))},
		"classes that nobody knows":            {request: built(t, IssuerKind, issuer(traefik))},
		"a cluster without classes":            {request: built(t, IssuerKind, issuer(traefik), func(r *Request) { r.IngressClasses = []string{} }), reason: ReasonIngressClass},
		"a class that exists":                  {request: built(t, IssuerKind, issuer(`[{http01: {ingress: {ingressClassName: nginx}}}]`), known)},
		"no class at all":                      {request: built(t, IssuerKind, issuer(`[{http01: {ingress: {}}}, {http01: {gatewayHTTPRoute: {}}}, {http01: {ingress: {name: web}}}]`), known)},
		"solvers that stay as they are":        {request: built(t, IssuerKind, issuer(traefik), known, was(t, `{metadata: {name: le}, spec: {acme: {server: "https://ca.corp.example", solvers: `+traefik+`}}}`)), unchanged: true},
	} {
		t.Run(sentence, func(t *testing.T) { t.Parallel(); c.check(t, ingressClass) })
	}
}
