// Rule churn: a Certificate that is issued again and again is named before the CA's limit is used up.
//
// A loop that deletes a Certificate with its Secret, flips its names, or overwrites its Secret gets a new certificate each
// time, and cert-manager has no brake on orders that succeed: the five certificates that Let's Encrypt gives for a set of
// names in a week can be gone in seconds. When a Certificate, told by its namespace and name, was issued three times or
// more within the time that a bucket takes to fill, and going on at that rate would empty the bucket within a day, applying
// it warns, with the rate and the time.
//
// It never refuses: that the loop goes on is a guess. When it does, the rule budget stops it at the CA's own count.
//
// Reasons: churning.

package policy

import (
	"fmt"
	"time"
)

// ChurnRule is the name of the rule in rule_churn.go.
const ChurnRule RuleName = "churn"

// ReasonChurning is the reason of [ChurnRule].
const ReasonChurning Reason = "churning"

var churn = Rule{Name: ChurnRule, Reasons: []Reason{ReasonChurning}, Check: checkChurn}

// churnsFrom is how many issuances are a loop: two may be a correction.
const churnsFrom = 3

func checkChurn(r Request) Finding {
	c := r.Budget.Churn
	if r.Object.Kind != Certificate || r.Orders == OrderNone || c.Orders < churnsFrom || c.Empties.IsZero() {
		return Finding{}
	}
	return Finding{Reason: ReasonChurning, Warnings: []string{
		fmt.Sprintf("%s was issued %d times lately, every %s on average", subject(r), c.Orders, c.Gap.Round(time.Second)),
		fmt.Sprintf("at that rate the CA's limit is used up by %s: what deletes or overwrites it?", ToTheMinute(c.Empties)),
	}}
}
