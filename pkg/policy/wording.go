package policy

import (
	"fmt"
	"slices"
	"strings"
)

// shown is how many of a list's items a text names.
const shown = 3

// some joins the first items of a list: "a, b, c and 2 more".
func some(list []string) string {
	if len(list) <= shown {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:shown], ", "), len(list)-shown)
}

// refuse is a finding that may deny, with the same in warnings. A Certificate that cert-manager made for an Ingress or a
// Gateway is never refused: that would stop the other Certificates of the same Ingress, and nobody would see it.
func refuse(r Request, rule RuleName, reason Reason, message string, warnings ...string) Finding {
	if r.Object.ShimMade() {
		return advise(rule, reason, warnings...)
	}
	return Finding{
		Reason: reason, Refusable: true, Message: message + ". More: " + Docs(rule),
		Warnings: append(warnings, "refused with "+IssuanceLabel+"=deny: "+Docs(rule)),
	}
}

// advise is a finding that only ever warns.
func advise(rule RuleName, reason Reason, warnings ...string) Finding {
	return Finding{Reason: reason, Warnings: append(warnings, "more: "+Docs(rule))}
}

// forACME reports whether a rule about ACME issuers has to look at an object of one of these kinds.
func forACME(r Request, kinds ...Kind) bool {
	o := r.Object
	return slices.Contains(kinds, o.Kind) && o.Issuer != nil && !o.Issuer.External() && r.Issuer.ACME
}
