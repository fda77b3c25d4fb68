package policy

import "testing"

func TestIssuerReference(t *testing.T) {
	t.Parallel()
	const spec = `spec: {dnsNames: [a.example.com], issuerRef: {name: le}}`
	missing := func(other *IssuerRef) func(*Request) {
		return func(r *Request) { r.Issuer, r.OtherKind = Issuer{Ref: r.Issuer.Ref}, other }
	}
	unready := func(reason string) func(*Request) {
		return func(r *Request) { r.Issuer.Ready, r.Issuer.Unready = false, reason }
	}
	cluster := NewIssuerRef("le", "ClusterIssuer", "")
	for sentence, c := range map[string]expectation{
		"the other kind is meant": {
			request: certificate(t, spec, missing(&cluster)), reason: ReasonOtherKind,
			warnings: []string{"Issuer le does not exist, but ClusterIssuer le does: set spec.issuerRef.kind: ClusterIssuer", "more: " + Docs(IssuerReference)},
		},
		"an issuer that is not ready": {
			request: certificate(t, spec, unready("ErrRegisterACMEAccount")), reason: ReasonIssuerNotReady,
			warnings: []string{"Issuer le is not Ready (ErrRegisterACMEAccount), so nothing is issued until it is", "more: " + Docs(IssuerReference)},
		},
		"an issuer that nobody has looked at yet": {request: certificate(t, spec, unready(""))},
		"an issuer that is yet to come":           {request: certificate(t, spec, missing(nil))},
		"a ready issuer":                          {request: certificate(t, spec)},
		"an update of something else":             {request: certificate(t, spec, unready("x"), was(t, `spec: {dnsNames: [b.example.com], issuerRef: {name: le}}`)), unchanged: true},
		"an Order is not asked":                   {request: certificate(t, spec, unready("x"), kind(Order, ""))},
	} {
		t.Run(sentence, func(t *testing.T) { t.Parallel(); c.check(t, issuerReference) })
	}
}
