// Rule budget: an order that the CA would refuse for its rate limits is not placed.
//
// certwire counts what this cluster orders the way the CA counts it: certificates per registered domain, certificates
// for the same set of names, new orders of an account, failed validations of a name. When a bucket has no token left, the
// Order is refused before the CA sees it. Nothing is used up by that, and nothing fails: cert-manager keeps the request
// pending, and certwire has it tried again as soon as the budget allows. Had the CA refused it, cert-manager would have
// counted a failure and waited for an hour or more.
//
// A token bucket is no window: "5 per 7 days" gives 5 at once, and then one every 33 hours and 36 minutes. Orders that
// are under way count as used. The numbers are a lower bound ("at least"), because other clusters and clients use the
// same limits; when the CA itself refuses, certwire learns from its text.
//
// A due renewal is refused only if the CA itself would refuse it: it needs no token of the domain or the account, and
// neither orders under way nor a reserve count against it. An order that the CA asked for by ARI is refused never.
//
// At a Certificate the rule says the same earlier, where a person sees it: it refuses when applying it would certainly
// order, and warns when that is not certain, since a Certificate whose Secret still fits orders nothing. From 80 % of a
// bucket on it warns how much is left. Certificates that cert-manager makes for an Ingress or a Gateway are decided at
// the Order, and so are requests without a Certificate.
//
// Allowed: CAs whose limits are not known. The configuration can give them (authorities[].limits).
//
// Reasons: budget-exhausted, budget-low, decided-at-order.

package policy

import (
	"fmt"
	"strings"
	"time"

	"github.com/certwire/certwire/pkg/acme"
)

// BudgetRule is the name of the rule in rule_budget.go.
const BudgetRule RuleName = "budget"

// The reasons of [BudgetRule].
const (
	ReasonBudgetExhausted Reason = "budget-exhausted"
	ReasonBudgetLow       Reason = "budget-low"
)

var budget = Rule{
	Name:    BudgetRule,
	Reasons: []Reason{ReasonBudgetExhausted, ReasonBudgetLow, ReasonDecidedAtOrder},
	Check:   checkBudget,
}

func checkBudget(r Request) Finding {
	switch {
	case !r.Budget.Known || r.Orders == OrderNone:
		return Finding{}
	case r.Object.Kind != Certificate && (r.Object.Kind != Order || !r.Create):
		return Finding{}
	case r.Budget.Allowed:
		return budgetLow(r)
	}
	when := "no order is possible while others have a claim on all of it"
	if next := r.Budget.Bucket.Next; !next.IsZero() {
		when = "the next order is possible at " + ToTheMinute(next)
	}
	f := Finding{Reason: ReasonBudgetExhausted, Warnings: []string{
		fmt.Sprintf("%s: %s used at %s", subject(r), usedOf(r.Budget.Bucket), r.Budget.CA.Host),
	}}
	switch {
	case r.Object.ShimMade():
		f.Reason = ReasonDecidedAtOrder
		f.Warnings = append(f.Warnings, "where it is denied, its Order is refused; "+when)
	case r.Object.Kind == Certificate && r.Orders != OrderCertain:
		f.Warnings = append(f.Warnings, "if this orders, the Order is refused; "+when)
	default:
		f.Refusable = true
		f.Message = exhausted(r, when)
		f.Warnings = append(f.Warnings, "the CA refuses this order; "+when)
	}
	return f
}

// exhausted is byte-stable while nothing is counted: it names the state of the bucket and an absolute time.
func exhausted(r Request, when string) string {
	var b strings.Builder
	bucket := r.Budget.Bucket
	if r.Object.Kind == Order {
		b.WriteString(clip(subject(r), 200) + notPlaced + r.Budget.CA.String() + ": ")
	} else {
		fmt.Fprintf(&b, "%s would order from %s, which cannot be now: ", clip(subject(r), 200), r.Budget.CA)
	}
	fmt.Fprintf(&b, "of %s at least %d are used", allowance(bucket), bucket.Used)
	if bucket.InFlight > 0 {
		fmt.Fprintf(&b, ", %d are under way", bucket.InFlight)
	}
	if bucket.Reserve > 0 {
		fmt.Fprintf(&b, ", %d are kept for renewals", bucket.Reserve)
	}
	b.WriteString("; " + when)
	if len(r.Budget.Consumers) > 0 {
		most := make([]string, 0, len(r.Budget.Consumers))
		for _, c := range r.Budget.Consumers {
			most = append(most, fmt.Sprintf("%s (%d)", clip(c.Name, 80), c.Orders))
		}
		b.WriteString(". Used most by " + strings.Join(most, ", "))
	}
	b.WriteString(". ")
	if r.Object.Kind == Order {
		b.WriteString("It is tried again by itself at that time; deleting the Certificate or its Secret does not help. More: ")
	} else {
		b.WriteString("Apply it again then, or use another issuer. More: ")
	}
	b.WriteString(Docs(BudgetRule))
	return b.String()
}

// budgetLow warns people from four fifths on.
func budgetLow(r Request) Finding {
	b := r.Budget.Bucket
	spoken := b.Used + b.InFlight + b.Reserve
	if r.Object.Kind != Certificate || b.Count == 0 || spoken*5 < b.Count*4 {
		return Finding{}
	}
	return Finding{Reason: ReasonBudgetLow, Warnings: []string{
		fmt.Sprintf("%s: %s used at %s", subject(r), usedOf(b), r.Budget.CA.Host),
		fmt.Sprintf("%d left; a deleted or overwritten Secret uses up one each time", b.Left()),
	}}
}

// notPlaced begins what an Order is refused with for its budget.
const notPlaced = " is not placed at "

// RefusedForBudget reports whether a text, which cert-manager may have wrapped, is [BudgetRule]'s refusal of an Order.
func RefusedForBudget(text string) bool { return strings.Contains(text, notPlaced) }

// clip shortens what others have named, so that the rest of a refusal stays whole.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// allowance names a limit in a sentence: "5 certificates in 7 days for the same names (a.example b.example)".
func allowance(b Bucket) string {
	switch b.Limit {
	case acme.CertificatesPerSet:
		return fmt.Sprintf("%d certificates in %s for the same set of names (%s)", b.Count, inWords(b.Period), clip(b.Of, 200))
	case acme.CertificatesPerDomain:
		return fmt.Sprintf("%d certificates in %s for %s", b.Count, inWords(b.Period), clip(b.Of, 200))
	case acme.FailedAuthorizations:
		return fmt.Sprintf("%d failed validations in %s for %s", b.Count, inWords(b.Period), clip(b.Of, 200))
	default:
		return fmt.Sprintf("%d new orders in %s of account %s", b.Count, inWords(b.Period), clip(b.Of, 200))
	}
}

// usedOf is the same, short enough for a warning: "5 of 5 per set of names".
func usedOf(b Bucket) string {
	of := strings.TrimPrefix(string(b.Limit), "certificates-")
	return fmt.Sprintf("%d of %d %s", b.Used+b.InFlight+b.Reserve, b.Count, strings.ReplaceAll(of, "-", " "))
}

// inWords writes a period as people say it.
func inWords(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d == day:
		return "a day"
	case d >= 2*day && d%day == 0:
		return fmt.Sprintf("%d days", d/day)
	case d >= 2*time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%d hours", d/time.Hour)
	case d == time.Hour:
		return "an hour"
	default:
		return d.String()
	}
}

// ToTheMinute writes the minute that is not before a time: in UTC: it stays the same from one attempt to the next, and is
// never too early.
func ToTheMinute(t time.Time) string {
	if down := t.Truncate(time.Minute); !down.Equal(t) {
		t = down.Add(time.Minute)
	}
	return t.UTC().Format("2006-01-02 15:04 MST")
}
