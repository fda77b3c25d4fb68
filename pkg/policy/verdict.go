package policy

// Reason is a decision in one word: a closed set, fit for a metric label and an audit annotation.
type Reason string

// The reasons that the engine gives. Each rule adds its own.
const (
	ReasonPass       Reason = "pass"
	ReasonOff        Reason = "off"
	ReasonDeleting   Reason = "deleting"
	ReasonUnchanged  Reason = "unchanged"
	ReasonBreakGlass Reason = "break-glass"
)

// Finding is what one rule says of one request. The zero Finding has nothing to say.
type Finding struct {
	Reason Reason
	// Refusable is true when the rule may deny the request, if the mode says so. A finding that rests on a guess or on
	// another object's future is advice: it only ever warns.
	Refusable bool
	// Message is the refusal: one line; what, why, what to do. It holds nothing that changes between two attempts at
	// the same state of the cluster: cert-manager retries a refused Order without pause when the text changes.
	Message string
	// Warnings say the same in short lines, meant to fit the 120 characters that Kubernetes asks for.
	Warnings []string
}

// Found reports whether the rule has anything to say.
func (f Finding) Found() bool { return f.Reason != "" }

// Verdict is the outcome of a decision.
type Verdict string

// The verdicts.
const (
	Allow Verdict = "allow"
	Warn  Verdict = "warn"
	Deny  Verdict = "deny"
)

// Decision is the answer to a request.
type Decision struct {
	Verdict Verdict
	// Rule is the rule that decided; empty when none had anything to say.
	Rule RuleName
	// Reason says why, in one word.
	Reason Reason
	// Message is for the person who is refused; set when Verdict is Deny.
	Message string
	// Warnings are for the person who is let through.
	Warnings []string
}
