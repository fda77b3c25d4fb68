package policy

import "testing"

func TestNoSolver(t *testing.T) {
	t.Parallel()
	with := func(text string) func(*Request) {
		return func(r *Request) { r.Issuer.Solvers = NewSolvers(solvers(t, text)) }
	}
	const spec = `{metadata: {name: web, labels: {team: shop}}, spec: {dnsNames: ["*.example.com", www.example.com], ipAddresses: [192.0.2.1], issuerRef: {name: le}}}`
	const many = `spec: {dnsNames: [a.b, b.b, c.b, d.b, e.b, f.b, g.b, h.b], issuerRef: {name: le}}`
	issuer := func(solvers string) string {
		return `{metadata: {name: le}, spec: {acme: {` + leIssuer + `, solvers: ` + solvers + `}}}`
	}
	users := func(r *Request) {
		r.Users = []User{{Namespace: "shop", Name: "web", Names: []string{"*.example.com", "www.example.com"}}, {Namespace: "shop", Name: "new"}}
	}
	for sentence, c := range map[string]expectation{
		"each name without a solver has its reason": {
			request: certificate(t, spec, with(`[{dns01: {}, selector: {dnsZones: [example.org]}}]`)), reason: ReasonNoSolver,
			warnings: []string{
				"no solver of Issuer le can prove *.example.com: no selector matches",
				"no solver of Issuer le can prove 192.0.2.1: an IP address needs http01",
				"no solver of Issuer le can prove www.example.com: no selector matches",
				"its Order would stay pending, and nothing on the Certificate would say why",
				"more: " + Docs(NoSolver),
			},
		},
		"a wildcard with HTTP-01 alone": {
			request: certificate(t, spec, with(`[{http01: {}}]`)), reason: ReasonNoSolver,
			warnings: []string{
				"no solver of Issuer le can prove *.example.com: a wildcard needs dns01",
				"its Order would stay pending, and nothing on the Certificate would say why",
				"more: " + Docs(NoSolver),
			},
		},
		"an issuer without solvers": {request: certificate(t, `spec: {dnsNames: [a.b], issuerRef: {name: le}}`), reason: ReasonNoSolver, warnings: []string{
			"no solver of Issuer le can prove a.b: it has none", "its Order would stay pending, and nothing on the Certificate would say why", "more: " + Docs(NoSolver),
		}},
		"many names are counted": {request: certificate(t, many), reason: ReasonNoSolver, warnings: []string{
			"no solver of Issuer le can prove a.b: it has none", "no solver of Issuer le can prove b.b: it has none", "no solver of Issuer le can prove c.b: it has none",
			"no solver of Issuer le can prove d.b: it has none", "no solver of Issuer le can prove e.b: it has none", "and 3 more",
			"its Order would stay pending, and nothing on the Certificate would say why", "more: " + Docs(NoSolver),
		}},
		"all names have one":                            {request: certificate(t, spec, with(`[{http01: {}}, {dns01: {}}]`))},
		"the Certificate's labels count":                {request: certificate(t, spec, with(`[{http01: {}, selector: {matchLabels: {team: shop}}}, {dns01: {}, selector: {matchLabels: {team: shop}}}]`))},
		"the common name counts":                        {request: certificate(t, `spec: {commonName: "*.example.com", issuerRef: {name: le}}`, with(`[{http01: {}}]`)), reason: ReasonNoSolver},
		"a private CA counts":                           {request: certificate(t, many, func(r *Request) { r.Issuer.Directory = directories(t).Lookup("https://ca.corp.example") }), reason: ReasonNoSolver},
		"an issuer that is not there yet is not asked":  {request: certificate(t, many, func(r *Request) { r.Issuer = Issuer{} })},
		"an issuer that is not ACME is not asked":       {request: certificate(t, many, func(r *Request) { r.Issuer.ACME = false })},
		"an update of the names counts":                 {request: certificate(t, many, was(t, `spec: {dnsNames: [a.b], issuerRef: {name: le}}`)), reason: ReasonNoSolver},
		"an update of something else does not":          {request: certificate(t, many, was(t, `spec: {secretName: x, dnsNames: [a.b, b.b, c.b, d.b, e.b, f.b, g.b, h.b], issuerRef: {name: le}}`)), unchanged: true},
		"an Order is not asked":                         {request: certificate(t, many, kind(Order, ""))},
		"an issuer is made with whatever solvers":       {request: built(t, IssuerKind, issuer(`[]`), users)},
		"an issuer that keeps matching may change them": {request: built(t, IssuerKind, issuer(`[{http01: {}}, {dns01: {}, selector: {matchLabels: {a: b}}}]`), users, was(t, issuer(`[{dns01: {}}]`)))},
		"an issuer whose names never had a solver":      {request: built(t, IssuerKind, issuer(`[{http01: {}}]`), users, was(t, issuer(`[{http01: {}, selector: {dnsZones: [example.com]}}]`)))},
		"an issuer that loses a name is warned about": {
			request: built(t, IssuerKind, issuer(`[{http01: {}}]`), users, was(t, issuer(`[{dns01: {}}]`))), reason: ReasonSolverLost,
			warnings: []string{
				"no solver matches *.example.com of Certificate shop/web any longer",
				"their next renewals would stay pending",
				"more: " + Docs(NoSolver),
			},
		},
	} {
		t.Run(sentence, func(t *testing.T) { t.Parallel(); c.check(t, noSolver) })
	}
}
