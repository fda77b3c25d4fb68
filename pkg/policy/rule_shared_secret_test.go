package policy

import "testing"

func TestSharedSecret(t *testing.T) {
	t.Parallel()
	const spec = `{metadata: {name: web}, spec: {secretName: web-tls, dnsNames: [web.example.com], issuerRef: {name: i}}}`
	shared := func(r *Request) { r.Sharing = []string{"a", "b"} }
	for sentence, c := range map[string]expectation{
		"another Certificate with the same Secret is named": {
			request: certificate(t, spec, shared),
			reason:  ReasonSharedSecret,
			warnings: []string{
				"Secret web-tls of Certificate web is also written by Certificate a, b",
				"only one of them is ever issued, the others stay not Ready without an event: give each its own secretName",
				"more: " + Docs(SharedSecret),
			},
		},
		"a Secret of its own is fine":            {request: certificate(t, spec)},
		"an issuer that is not known yet counts": {request: certificate(t, spec, shared, func(r *Request) { r.Issuer = Issuer{} }), reason: ReasonSharedSecret},
		"an issuer that is not ACME does not":    {request: certificate(t, spec, shared, func(r *Request) { r.Issuer.ACME = false })},
		"an update that moves it there counts":   {request: certificate(t, spec, shared, was(t, `spec: {secretName: other, issuerRef: {name: i}}`)), reason: ReasonSharedSecret},
		"an update of something else does not":   {request: certificate(t, spec, shared, was(t, `spec: {secretName: web-tls, dnsNames: [b.example.com], issuerRef: {name: i}}`)), unchanged: true},
		"an Ingress is not asked":                {request: certificate(t, spec, shared, kind(Ingress, ""))},
	} {
		t.Run(sentence, func(t *testing.T) { t.Parallel(); c.check(t, sharedSecret) })
	}
}
