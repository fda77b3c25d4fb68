package lint

import (
	"fmt"
	"strings"
	"time"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/manifest"
	"github.com/certwire/certwire/pkg/config"
	"github.com/certwire/certwire/pkg/mutate"
	"github.com/certwire/certwire/pkg/policy"
)

// Options say what the input is applied to.
type Options struct {
	// Namespace is for objects that name none. Required.
	Namespace string
	// NamespaceLabels are those of every namespace that is not in the input. Nil means that nobody knows them.
	NamespaceLabels map[string]string
	// Settings is the configuration. Required.
	Settings *config.Settings
	// Now decides which lifetime a CA's certificates have.
	Now time.Time
}

// Check says what admission would say of each object, were all of them applied.
func Check(objects []manifest.Object, problems []manifest.Problem, options Options) *Report {
	report := &Report{Objects: len(objects), Findings: []Finding{}, Problems: []Problem{}}
	for _, p := range problems {
		report.Problems = append(report.Problems, Problem(p))
	}
	c := collection{world: newWorld(options.NamespaceLabels)}
	for i := range objects {
		o := &objects[i]
		namespace := o.Namespace
		if namespace == "" {
			namespace = options.Namespace
		}
		if err := c.take(o, namespace); err != nil {
			report.problem(o, err)
		}
	}
	check := checker{options, c.world, report}
	for _, g := range c.guarded {
		check.rules(g)
	}
	for _, p := range c.planned {
		check.plan(p)
	}
	report.sort()
	return report
}

type checker struct {
	Options
	world  *world
	report *Report
}

// rules asks every rule by itself, so that each finding has its rule's name. Admission stops at the first refusal, but
// refuses the same objects.
func (c *checker) rules(g guarded) {
	facts := policy.Request{Object: g.object, Namespace: g.namespace, Relevant: true, Create: true}
	labels, known := c.world.LabelsAtHand(g.namespace)
	facts.Gather(c.world, labels, c.Settings.Environments, c.Settings.Directories, c.Now)
	missing := c.missing(g, &facts)
	for _, rule := range policy.Rules() {
		set, err := policy.NewSet([]policy.Rule{rule})
		if err != nil {
			continue // the rules of this very binary, which a test gives to NewSet
		}
		d := set.Decide(facts, func(name policy.RuleName) policy.Mode { return c.Settings.Modes.For(name, labels) })
		text := wording(d)
		if d.Rule == "" || text == "" || missing && (rule.Name == policy.ProductionCA || rule.Name == policy.IssuerReference) {
			continue
		}
		f := Finding{Severity: Warning, Rule: string(d.Rule), Reason: string(d.Reason), Text: text, Docs: policy.Docs(d.Rule)}
		if d.Verdict == policy.Deny {
			f.Severity = Refused
		}
		if rule.Name == policy.ProductionCA && !known && g.namespace != "" && facts.Environment.Name == "" {
			// Whether it is production is written on the namespace, which is in the cluster, maybe.
			f.Severity = Warning
			f.Text += fmt.Sprintf("; namespace %s is not in the input: add it, or give --namespace-labels", g.namespace)
		}
		c.report.add(g.manifest, g.namespace, f)
	}
}

// missing says where the issuer is not in the input.
func (c *checker) missing(g guarded, facts *policy.Request) bool {
	o := g.object
	if o.Issuer == nil || o.Issuer.External() || facts.Issuer.Found || o.Deleting {
		return false
	}
	f := Finding{
		Severity: Note, Rule: InputRule, Reason: "issuer-not-in-input", Docs: docsInput,
		Text: fmt.Sprintf("%s is not in the input, so nothing that depends on its CA was checked", o.Issuer),
	}
	if facts.OtherKind != nil {
		f.Severity, f.Rule, f.Reason = Warning, string(policy.IssuerReference), string(policy.ReasonOtherKind)
		f.Docs = policy.Docs(policy.IssuerReference)
		f.Text = fmt.Sprintf("%s is not in the input, but %s is: is spec.issuerRef.kind: %s meant?", o.Issuer, facts.OtherKind, facts.OtherKind.Kind)
	}
	c.report.add(g.manifest, g.namespace, f)
	return true
}

// wording is a decision's text in one line, without the address of its documentation, which findings have apart.
func wording(d policy.Decision) string {
	docs := policy.Docs(d.Rule)
	if d.Verdict == policy.Deny {
		return strings.TrimSuffix(d.Message, ". More: "+docs)
	}
	var parts []string
	for _, line := range d.Warnings {
		if line = strings.TrimSuffix(strings.TrimSuffix(line, docs), ": "); line != "more" {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, "; ")
}

// plan says what the plan for a workload or a Pod warns of.
func (c *checker) plan(p planned) {
	labels, _ := c.world.LabelsAtHand(p.namespace)
	facts := mutate.Facts{
		Namespace: p.namespace, NamespaceLabels: labels,
		Certificates: func(secret string) []mutate.Certificate { return c.world.writing(p.namespace, secret) },
		Reloader:     c.world.reloader,
		Agent:        c.Settings.Agent, Features: c.Settings.Features(mutate.Features{}),
		Limits: c.world.limits[p.namespace],
	}
	f := Finding{Severity: Warning}
	var warnings []string
	if p.workload != nil {
		plan := mutate.NewPlan(p.workload, facts)
		f.Rule, f.Reason, f.Docs, warnings = ReloadRule, string(plan.Reason), docsReload, plan.Warnings
	} else {
		if m := p.pod.Metadata; m != nil {
			if kind, name, ok := m.Workload(); ok {
				facts.Owner = c.world.labels[workload{kind, p.namespace, name}]
			}
		}
		plan := mutate.NewPodPlan(p.pod, facts)
		f.Rule, f.Reason, f.Docs, warnings = AgentRule, string(plan.Reason), docsAgent, plan.Warnings
	}
	for _, text := range joined(warnings) {
		f.Text = text
		c.report.add(p.manifest, p.namespace, f)
	}
}

// joined puts warnings together again that were broken to fit a line of kubectl's.
func joined(lines []string) []string {
	var out []string
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, "  "); ok && len(out) > 0 {
			out[len(out)-1] += " " + rest
		} else {
			out = append(out, line)
		}
	}
	return out
}

// Where findings that no rule makes are explained.
const (
	docsBase   = "https://github.com/certwire/certwire/blob/main/docs/"
	docsReload = docsBase + "cli.md#reload"
	docsAgent  = docsBase + "agent.md"
	docsInput  = docsBase + "cli.md#lint"
)
