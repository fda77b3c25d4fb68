// Rule issuer-reference: a Certificate refers to an issuer that can answer it.
//
// A Certificate waits for its issuer without end. Two mistakes look like patience: the kind is left out, which means
// Issuer, where the name is a ClusterIssuer's; and the issuer itself has never got an account at its CA.
//
// Warned about: a Certificate whose issuer does not exist, while one of that name and the other kind does; and one whose
// ACME issuer cert-manager reports as not Ready, with the reason that it gives.
//
// It only warns, since the issuer is another object. An issuer that cert-manager has not looked at yet counts as fine.
//
// Reasons: other-kind, issuer-not-ready.

package policy

import "fmt"

// IssuerReference is the name of the rule in rule_issuer_reference.go.
const IssuerReference RuleName = "issuer-reference"

// The reasons of [IssuerReference].
const (
	ReasonOtherKind      Reason = "other-kind"
	ReasonIssuerNotReady Reason = "issuer-not-ready"
)

var issuerReference = Rule{
	Name:     IssuerReference,
	Reasons:  []Reason{ReasonOtherKind, ReasonIssuerNotReady},
	Concerns: changed("issuerRef"),
	Check:    checkIssuerReference,
}

func checkIssuerReference(r Request) Finding {
	o := r.Object
	switch {
	case o.Kind != Certificate || o.Issuer == nil || o.Issuer.External():
		return Finding{}
	case !r.Issuer.Found && r.OtherKind != nil:
		return advise(IssuerReference, ReasonOtherKind, fmt.Sprintf("%s does not exist, but %s does: set spec.issuerRef.kind: %s", o.Issuer, r.OtherKind, r.OtherKind.Kind))
	case r.Issuer.ACME && !r.Issuer.Ready && r.Issuer.Unready != "":
		return advise(IssuerReference, ReasonIssuerNotReady,
			fmt.Sprintf("%s is not Ready (%s), so nothing is issued until it is", o.Issuer, r.Issuer.Unready))
	}
	return Finding{}
}
