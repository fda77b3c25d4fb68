package policy

import (
	"fmt"
	"regexp"
	"slices"
)

// RuleName is a rule's name in the configuration, in metrics and in docs/rules.md.
type RuleName string

// Rule is one rule. Check is pure and safe for concurrent use.
type Rule struct {
	Name RuleName
	// Reasons lists every reason its findings can have.
	Reasons []Reason
	// Concerns reports whether an update changes anything that the rule looks at, so that nobody has to mend what they
	// do not touch. Nil means every update that is relevant at all, see [Relevant].
	Concerns func(old, updated Object) bool
	Check    func(Request) Finding
}

// Rules returns every rule of this version, in the order they are asked.
func Rules() []Rule {
	return []Rule{
		productionCA, impossibleName, refusedKey, mustChurn, // what can never work, before what cannot work now
		budget, churn,
		issuerReference, noSolver, ingressClass, sharedSecret, wildcardZone, unrehearsedChange,
	}
}

// Set is a checked list of rules.
type Set struct{ rules []Rule }

var kebab = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)

// NewSet checks the rules once, at start: names unique and fit for labels, a check and at least one reason each.
func NewSet(rules []Rule) (*Set, error) {
	seen := map[RuleName]bool{}
	for _, r := range rules {
		switch {
		case !kebab.MatchString(string(r.Name)):
			return nil, fmt.Errorf("rule name %q is not lower-case words joined by hyphens", r.Name)
		case seen[r.Name]:
			return nil, fmt.Errorf("two rules are named %q", r.Name)
		case r.Check == nil || len(r.Reasons) == 0:
			return nil, fmt.Errorf("rule %q lacks its check or its reasons", r.Name)
		}
		seen[r.Name] = true
	}
	return &Set{rules: rules}, nil
}

// Decide asks every rule that is on and returns the strictest outcome: the first finding that may refuse in a
// namespace that denies, else all that warns. mode gives each rule's mode for this request.
//
// Objects on their way out and updates that change nothing an order depends on are allowed before any rule is asked,
// so that finalizers, labels and no-op applies never get stuck on an object that was there before the rule.
func (s *Set) Decide(r Request, mode func(RuleName) Mode) Decision {
	switch {
	case r.Object.Deleting:
		return Decision{Verdict: Allow, Reason: ReasonDeleting}
	case !r.Relevant:
		return Decision{Verdict: Allow, Reason: ReasonUnchanged}
	}
	out := Decision{Verdict: Allow, Reason: ReasonPass}
	off, unconcerned := 0, 0
	for _, rule := range s.rules {
		m := mode(rule.Name)
		if m == ModeOff {
			off++
			continue
		}
		if !rule.concernedBy(r) {
			unconcerned++
			continue
		}
		f := rule.Check(r)
		if !f.Found() {
			continue
		}
		if m == ModeDeny && f.Refusable {
			return Decision{Verdict: Deny, Rule: rule.Name, Reason: f.Reason, Message: f.Message, Warnings: f.Warnings}
		}
		if len(f.Warnings) > 0 && out.Verdict == Allow {
			out.Verdict = Warn
		}
		if out.Rule == "" {
			out.Rule, out.Reason = rule.Name, f.Reason
		}
		out.Warnings = append(out.Warnings, f.Warnings...)
	}
	switch {
	case off == len(s.rules):
		out.Reason = ReasonOff
	case off+unconcerned == len(s.rules):
		out.Reason = ReasonUnchanged
	}
	out.Warnings = bounded(out.Warnings)
	return out
}

func (r Rule) concernedBy(request Request) bool {
	return request.Old == nil || r.Concerns == nil || r.Concerns(*request.Old, request.Object)
}

// maxWarnings bounds what one response says: the API server cuts all warnings of a response off at 4,096 characters
// (kubernetes/apiserver, pkg/endpoints/filters/warning.go), and nobody reads more.
const maxWarnings = 12

func bounded(warnings []string) []string {
	more := len(warnings) - maxWarnings
	if more <= 0 {
		return warnings
	}
	return append(slices.Clip(warnings[:maxWarnings-1]), fmt.Sprintf("and %d more warnings", more+1))
}

// Docs is the address of a rule's documentation.
func Docs(rule RuleName) string {
	return "https://github.com/certwire/certwire/blob/main/docs/rules.md#" + string(rule)
}
