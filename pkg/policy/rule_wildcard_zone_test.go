package policy

import "testing"

const leIssuer = `server: "https://acme-v02.api.letsencrypt.org/directory", privateKeySecretRef: {name: k}`

func TestWildcardZone(t *testing.T) {
	t.Parallel()
	issuer := func(solvers string) string {
		return `{metadata: {name: le}, spec: {acme: {` + leIssuer + `, solvers: ` + solvers + `}}}`
	}
	deadOne := issuer(`[{http01: {}, selector: {dnsZones: ["*.example.com"]}}]`)
	for sentence, c := range map[string]expectation{
		"a solver whose only zone has an asterisk and that is HTTP-01 is dead": {
			request: built(t, IssuerKind, deadOne),
			reason:  ReasonDeadSolver, refused: true,
			message: `Issuer shop/le: spec.acme.solvers[0] can never be used, because its dnsZones match no name: *.example.com. ` +
				`cert-manager compares zones label by label, and an asterisk is a label like any other. ` +
				`Write "example.com" instead, which covers every name below it, wildcards included`,
			warnings: []string{
				`spec.acme.solvers[0]: dnsZones "*.example.com" matches no name; write "example.com"`,
				"refused with certwire.dev/issuance=deny: " + Docs(WildcardZone),
			},
		},
		"a ClusterIssuer counts as well, whatever its directory": {
			request: built(t, ClusterIssuer, `{metadata: {name: le}, spec: {acme: {server: "https://ca.corp.example/dir", solvers: [{http01: {}}, {dns01: {}, selector: {dnsZones: ["a.*.example.com"]}}]}}}`,
				func(r *Request) { r.Namespace = "" }),
			reason: ReasonDeadSolver, refused: true,
			message: `ClusterIssuer le: spec.acme.solvers[1] can never be used, because its dnsZones match no name: a.*.example.com. ` +
				`cert-manager compares zones label by label, and an asterisk is a label like any other`,
		},
		"for DNS-01 it covers one wildcard, which may be what is meant": {
			request: built(t, IssuerKind, issuer(`[{dns01: {}, selector: {dnsZones: ["*.example.com"]}}]`)), reason: ReasonWildcardZone,
			warnings: []string{
				`spec.acme.solvers[0]: dnsZones "*.example.com" matches that wildcard alone and no name below; write "example.com"`,
				"more: " + Docs(WildcardZone),
			},
		},
		"beside a good zone it does no harm": {request: built(t, IssuerKind, issuer(`[{http01: {}, selector: {dnsZones: [example.com, "*.example.com"]}}]`)), reason: ReasonWildcardZone},
		"zones without one are fine":         {request: built(t, IssuerKind, issuer(`[{http01: {}, selector: {dnsZones: [example.com]}}]`))},
		"dnsNames may have one":              {request: built(t, IssuerKind, issuer(`[{dns01: {}, selector: {dnsNames: ["*.example.com"]}}]`))},
		"an issuer that is not ACME":         {request: built(t, IssuerKind, `spec: {selfSigned: {}}`)},
		"a Certificate is not asked":         {request: certificate(t, `spec: {issuerRef: {name: i}}`)},
		"what was dead before may stay": {
			request: built(t, IssuerKind, issuer(`[{http01: {}, selector: {dnsZones: ["*.example.com"]}}, {dns01: {}}]`), was(t, deadOne)), reason: ReasonWildcardZone,
		},
		"an update that adds one may not":         {request: built(t, IssuerKind, deadOne, was(t, issuer(`[]`))), reason: ReasonDeadSolver, refused: true},
		"an update of the e-mail address is none": {request: built(t, IssuerKind, `{metadata: {name: le}, spec: {acme: {email: x@example.com, `+leIssuer+`, solvers: [{http01: {}, selector: {dnsZones: ["*.example.com"]}}]}}}`, was(t, deadOne)), unchanged: true},
	} {
		t.Run(sentence, func(t *testing.T) { t.Parallel(); c.check(t, wildcardZone) })
	}
}
