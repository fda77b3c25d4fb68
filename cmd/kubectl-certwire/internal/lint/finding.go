package lint

import (
	"cmp"
	"slices"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/manifest"
)

// Severity is what would come of a finding at admission. The words are SARIF's levels, too.
type Severity string

// The severities.
const (
	Refused Severity = "error"   // the object would be refused
	Warning Severity = "warning" // it would be let through with a warning
	Note    Severity = "note"    // something could not be checked, since it is not in the input
)

// The names that findings have beside those of the rules.
const (
	ReloadRule = "reload" // the plan for a workload
	AgentRule  = "agent"  // the plan for a Pod
	InputRule  = "input"  // what the input lacks, and what cannot be read
)

// Finding is one thing to say about one object.
type Finding struct {
	File      string   `json:"file"`
	Line      int      `json:"line"`
	Kind      string   `json:"kind"`
	Namespace string   `json:"namespace,omitempty"`
	Name      string   `json:"name"`
	Severity  Severity `json:"severity"`
	// Rule is a rule's name, or one of ReloadRule, AgentRule and InputRule.
	Rule string `json:"rule"`
	// Reason is the rule's or the plan's, in one word.
	Reason string `json:"reason,omitempty"`
	Text   string `json:"text"`
	// Docs is where the rule is explained.
	Docs string `json:"docs"`
}

// Problem is a part of the input that cannot be used. Line is 0 where the file as a whole is meant.
type Problem struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
	Text string `json:"text"`
}

// Report is what was found.
type Report struct {
	// Objects is how many were read, of whatever kind.
	Objects  int       `json:"objects"`
	Findings []Finding `json:"findings"`
	Problems []Problem `json:"problems"`
}

// Count is how many findings have a severity.
func (r *Report) Count(s Severity) int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// The exit codes.
const (
	ExitClean    = 0
	ExitRefused  = 1
	ExitUnusable = 2
)

// ExitCode is 2 for input that cannot be used, 1 for a refusal, or with strict for a warning, and else 0.
func (r *Report) ExitCode(strict bool) int {
	switch {
	case len(r.Problems) > 0:
		return ExitUnusable
	case r.Count(Refused) > 0, strict && r.Count(Warning) > 0:
		return ExitRefused
	default:
		return ExitClean
	}
}

func (r *Report) add(o *manifest.Object, namespace string, f Finding) {
	f.File, f.Line, f.Kind, f.Namespace, f.Name = o.File, o.Line, o.Kind, namespace, o.Name
	r.Findings = append(r.Findings, f)
}

func (r *Report) problem(o *manifest.Object, err error) {
	r.Problems = append(r.Problems, Problem{o.File, o.Line, o.Kind + "/" + o.Name + ": " + err.Error()})
}

// sort brings the findings of a file together, in the order of its lines.
func (r *Report) sort() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
}
