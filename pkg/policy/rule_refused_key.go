// Rule refused-key: a Certificate's private key is of a kind that its CA signs.
//
// cert-manager makes any key that its API knows; Let's Encrypt signs RSA keys of 2048, 3072 and 4096 bits, P-256 and
// P-384. It looks at the key when the order is finished, with all challenges spent, so each attempt costs an order.
//
// Restricted objects: Certificates by spec.privateKey, for issuers at a directory of Let's Encrypt, staging included.
// Other CAs' lists are not known well enough to refuse anything.
//
// Only a warning: Certificates that cert-manager makes for an Ingress or a Gateway.
//
// Source: boulder, goodkey/good_key.go.
//
// Reasons: refused-key.

package policy

import (
	"fmt"

	"github.com/certwire/certwire/pkg/acme"
)

// RefusedKey is the name of the rule in rule_refused_key.go.
const RefusedKey RuleName = "refused-key"

// ReasonRefusedKey is the reason of [RefusedKey].
const ReasonRefusedKey Reason = "refused-key"

var refusedKey = Rule{
	Name:    RefusedKey,
	Reasons: []Reason{ReasonRefusedKey},
	Concerns: func(old, updated Object) bool {
		return keyOf(old) != keyOf(updated) || changed("issuerRef")(old, updated)
	},
	Check: checkRefusedKey,
}

func checkRefusedKey(r Request) Finding {
	if !forACME(r, Certificate) || !atLetsEncrypt(r) {
		return Finding{}
	}
	algorithm, size := r.Object.PrivateKey()
	why, ok := acme.CheckKey(algorithm, size)
	if ok {
		return Finding{}
	}
	return refuse(r, RefusedKey, ReasonRefusedKey,
		fmt.Sprintf("%s can never be issued by %s at %s: the private key %s. Change spec.privateKey, or leave it out for RSA of 2048 bits",
			subject(r), r.Issuer.Ref, r.Issuer.Directory, why),
		"the private key "+why)
}
