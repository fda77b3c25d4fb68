// Rule production-ca: a namespace that is not production does not order from a production ACME CA.
//
// Test environments come and go, and each time they order the same names again. From a production CA that uses up
// limits which the real certificates share: Let's Encrypt counts by registered domain and by set of names, whoever
// orders. Its staging directory issues as quickly, and allows 30,000 certificates a week for a set of names where
// production allows 5 (https://letsencrypt.org/docs/staging-environment/).
//
// Restricted objects: Certificates, CertificateRequests and Orders by their spec.issuerRef; Issuers by their own
// spec.acme.server; Ingresses and Gateways by cert-manager's issuer annotations. A ClusterIssuer that is moved to a
// production directory is warned about, with the namespaces that this would affect.
//
// What counts as production: the host of the issuer's ACME directory, in lower case and without port 443 or a trailing
// dot, never the issuer's name. The hosts are those of the public CAs in pkg/acme/known.go and of the configuration's
// authorities. What a namespace is comes from its label certwire.dev/environment, or from the labels and name patterns
// in the configuration; a namespace that nothing describes is not production unless the configuration says so.
//
// Allowed: everything in a production namespace; updates that change nothing an order depends on; deletion; issuers of
// other groups and kinds than ACME; a due renewal, so that no certificate in use expires because of this rule. Due means
// that the Certificate was issued before, still names this issuer, and is at its renewal time; and that its last complete
// Order, if cert-manager still has it, was for the same names and not at another CA's directory. A ClusterIssuer that was
// moved from staging to production therefore renews nothing.
//
// Left to the Order: Certificates that cert-manager makes for an Ingress or a Gateway (a refusal there would stop the
// other Certificates of the same Ingress), CertificateRequests that it makes for a Certificate, and Certificates whose
// issuer does not exist yet, since GitOps applies in any order. Every order passes the Order, so nothing gets around
// the rule.
//
// Reasons: production-ca, issuer-not-found, due-renewal, decided-at-order, cluster-issuer-moved.

package policy

import (
	"fmt"
	"strings"

	"github.com/certwire/certwire/pkg/acme"
)

// ProductionCA is the name of the rule in rule_production_ca.go.
const ProductionCA RuleName = "production-ca"

// The reasons of [ProductionCA].
const (
	ReasonProductionCA       Reason = "production-ca"
	ReasonIssuerNotFound     Reason = "issuer-not-found"
	ReasonDueRenewal         Reason = "due-renewal"
	ReasonDecidedAtOrder     Reason = "decided-at-order"
	ReasonClusterIssuerMoved Reason = "cluster-issuer-moved"
)

var productionCA = Rule{
	Name: ProductionCA,
	Reasons: []Reason{
		ReasonProductionCA, ReasonIssuerNotFound, ReasonDueRenewal, ReasonDecidedAtOrder, ReasonClusterIssuerMoved,
	},
	Concerns: func(old, updated Object) bool {
		if updated.Kind == IssuerKind || updated.Kind == ClusterIssuer {
			return directoryChanged(old, updated) // other solvers at the same CA are none of this rule's business
		}
		return true
	},
	Check: checkProductionCA,
}

func checkProductionCA(r Request) Finding {
	o := r.Object
	if o.Issuer == nil || o.Issuer.External() {
		return Finding{}
	}
	if o.Kind == ClusterIssuer {
		return clusterIssuerMoved(r)
	}
	switch {
	case r.Environment.Production:
		return Finding{}
	case !r.Issuer.Found:
		return issuerNotFound(r)
	case !r.Issuer.ACME || r.Issuer.Directory.Stage != acme.Production:
		return Finding{}
	}
	switch {
	case o.Kind == CertificateRequest && o.Owner == string(Certificate):
		return Finding{Reason: ReasonDecidedAtOrder}
	case o.ShimMade():
		return Finding{Reason: ReasonDecidedAtOrder, Warnings: advice(r, "where it is denied, its Order is refused")}
	case r.DueRenewal:
		return Finding{Reason: ReasonDueRenewal, Warnings: advice(r, "let through as a due renewal")}
	}
	return Finding{
		Reason: ReasonProductionCA, Refusable: true, Message: refusal(r),
		Warnings: advice(r, "with "+IssuanceLabel+"=deny on the namespace this is refused"),
	}
}

// refusal is the text that a person reads, and that cert-manager copies from a refused Order into the
// CertificateRequest's condition. It depends on the state of the cluster alone.
func refusal(r Request) string {
	var b strings.Builder
	if r.Object.Kind == IssuerKind {
		fmt.Fprintf(&b, "%s uses the ACME directory %s", subject(r), r.Issuer.Directory)
	} else {
		fmt.Fprintf(&b, "%s would order from %s, whose ACME directory is %s", subject(r), r.Issuer.Ref, r.Issuer.Directory)
	}
	fmt.Fprintf(&b, ", but namespace %s is %s and not production. ", r.Namespace, r.Environment)
	switch {
	case r.Staging != nil:
		fmt.Fprintf(&b, "Use %s (%s) instead", r.Staging.Ref, r.Staging.Directory.Host)
	case r.Object.Kind == IssuerKind:
		b.WriteString("Use the CA's staging directory instead")
	default:
		b.WriteString("Use an issuer with a staging directory instead (none is in reach of this namespace yet)")
	}
	b.WriteString(", or label the namespace certwire.dev/environment=production if that is what it is. More: " + Docs(ProductionCA))
	return b.String()
}

// advice is for who is let through: what is wrong, what to use, and what happens here.
func advice(r Request, here string) []string {
	instead := "a staging issuer"
	if r.Staging != nil {
		instead = r.Staging.Ref.String()
	}
	return []string{
		fmt.Sprintf("%s: %s is a production CA, but namespace %s is not production", subject(r), r.Issuer.Directory.Host, r.Namespace),
		fmt.Sprintf("use %s instead; %s", instead, here),
	}
}

func issuerNotFound(r Request) Finding {
	f := Finding{Reason: ReasonIssuerNotFound}
	if r.Object.Kind == Order {
		// cert-manager makes an Order only after it has read the issuer, so certwire's cache is behind: the next
		// attempt, seconds later, will find it.
		f.Refusable = true
		f.Message = fmt.Sprintf("%s is not known to certwire yet, so it cannot tell whether namespace %s may order from it; "+
			"cert-manager tries this Order again by itself. More: %s", r.Issuer.Ref, r.Namespace, Docs(ProductionCA))
	}
	f.Warnings = []string{fmt.Sprintf("%s does not exist (yet); whether namespace %s may use it is decided at the Order",
		r.Issuer.Ref, r.Namespace)}
	return f
}

func clusterIssuerMoved(r Request) Finding {
	if r.Issuer.Directory.Stage != acme.Production || len(r.Affected) == 0 {
		return Finding{}
	}
	shown := r.Affected
	more := ""
	if len(shown) > 3 {
		shown, more = shown[:3], fmt.Sprintf(" and %d more", len(r.Affected)-3)
	}
	return Finding{Reason: ReasonClusterIssuerMoved, Warnings: []string{
		fmt.Sprintf("%s now orders from production %s", r.Object.Name, r.Issuer.Directory.Host),
		fmt.Sprintf("not production but using it: %s%s; their new orders fall under rule %s", strings.Join(shown, ", "), more, ProductionCA),
	}}
}

func subject(r Request) string {
	if r.Namespace == "" {
		return string(r.Object.Kind) + " " + r.Object.Name
	}
	return string(r.Object.Kind) + " " + r.Namespace + "/" + r.Object.Name
}
