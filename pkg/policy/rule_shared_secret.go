// Rule shared-secret: two Certificates of a namespace do not write to the same Secret.
//
// Only one of them is ever issued: the one that the Secret names in its annotations, else the older one. The other
// stays Ready=False for ever, without an event and without a request, also after the first one is deleted as long as the
// Secret is there. Before cert-manager 1.13.2 both were issued again and again, against the CA's limits.
//
// Warned about: a Certificate that is made with, or moved to, the secretName of another one in its namespace; the
// warning names the other. It only warns, since the other one may be about to go: renaming a Certificate looks the same.
//
// Not looked at: issuers that are known not to be ACME.
//
// Reasons: shared-secret.

package policy

import "fmt"

// SharedSecret is the name of the rule in rule_shared_secret.go.
const SharedSecret RuleName = "shared-secret"

// ReasonSharedSecret is the reason of [SharedSecret].
const ReasonSharedSecret Reason = "shared-secret"

var sharedSecret = Rule{
	Name:     SharedSecret,
	Reasons:  []Reason{ReasonSharedSecret},
	Concerns: changed("secretName"),
	Check:    checkSharedSecret,
}

func checkSharedSecret(r Request) Finding {
	o := r.Object
	if o.Kind != Certificate || len(r.Sharing) == 0 || (r.Issuer.Found && !r.Issuer.ACME) {
		return Finding{}
	}
	return advise(SharedSecret, ReasonSharedSecret,
		fmt.Sprintf("Secret %s of Certificate %s is also written by Certificate %s", o.SecretName(), o.Name, some(r.Sharing)),
		"only one of them is ever issued, the others stay not Ready without an event: give each its own secretName")
}
