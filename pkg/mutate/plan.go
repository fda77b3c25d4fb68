package mutate

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Method is how a consumer takes up a new certificate.
type Method string

// The methods that a plan can choose. MethodNone leaves the workload as the user wrote it.
const (
	MethodNone       Method = ""
	MethodAnnotation Method = "annotation"
	MethodSelf       Method = "self"
	MethodSidecar    Method = "sidecar"
)

// Reason is why a plan is what it is: a closed set, fit for a metric label and an audit annotation.
type Reason string

// The reasons of a plan, first match wins.
const (
	ReasonNoSecret      Reason = "no-secret"       // the template refers to no Secret
	ReasonNoCertificate Reason = "no-certificate"  // none of its Secrets is a certificate Secret
	ReasonOff           Reason = "off"             // not opted in, or opted out by label
	ReasonDeleting      Reason = "deleting"        // the workload is on its way out
	ReasonSelf          Reason = "self"            // the server watches its files
	ReasonOptedOut      Reason = "opted-out"       // a Reloader annotation says "false"
	ReasonCovered       Reason = "already-covered" // the user's own annotations do it
	ReasonSkipped       Reason = "skipped"         // every Secret has a reason of its own, see Warnings
	ReasonAnnotated     Reason = "annotated"       // named Secrets stand in Reloader's annotation
	ReasonSidecar       Reason = "sidecar"         // the pods get the agent
	ReasonRollsOut      Reason = "rolls-out"       // a pod that is replaced by its owner, and needs no agent
	ReasonJob           Reason = "job"             // a pod that runs to its end and asks for nothing
	ReasonInjected      Reason = "injected"        // the agent is in the pod
	ReasonTaken         Reason = "taken"           // somebody else's container or volume has the agent's name
)

// Certificate is what a plan needs of a Certificate that writes to a Secret.
type Certificate struct {
	Name string
	// SecretLabels and SecretAnnotations are its secretTemplate's: what the Secret carries beside its data.
	SecretLabels, SecretAnnotations map[string]string
}

// Facts is the inventory's answer about a workload's surroundings.
type Facts struct {
	// Namespace is the workload's namespace, NamespaceLabels its labels.
	Namespace       string
	NamespaceLabels map[string]string
	// Certificates returns the Certificates of that namespace whose secretName is the given Secret. It is called at
	// most once for each Secret of the template.
	Certificates func(secret string) []Certificate
	// Reloader is the cluster's Reloader.
	Reloader Reloader
	// Agent is the configuration's agent, Features what the cluster can do for it.
	Agent    Agent
	Features Features
	// Owner is the value of [ReloadLabel] on the workload that a Pod belongs to; it is not asked for a workload.
	Owner string
	// Kept says that the workload's pods stay as they are: nothing rolls out because of what the plan is made for. Pods get the
	// agent when they are made anew, and until then Reloader is needed.
	Kept bool
	// Limits are the bounds that the namespace's LimitRanges set.
	Limits []corev1.LimitRangeItem
	// Version is certwire's own, for the status annotation.
	Version string
}

// Plan is what certwire wants for a workload.
type Plan struct {
	// Method is the chosen one.
	Method Method
	// Reason says why, in one word.
	Reason Reason
	// Secrets are the certificate Secrets that the template refers to, sorted.
	Secrets []string
	// Warnings are for the person who applies the workload, now or later: one short line each.
	Warnings []string

	annotations map[string]*string // nil removes
}

// NewPlan decides about one workload. It never fails: what cannot be understood is left alone, with a warning.
func NewPlan(w *Workload, f Facts) Plan {
	p := newPlanner(w, f)
	p.decide()
	p.settle()
	return p.plan
}

// planner carries one decision through its steps.
type planner struct {
	w     *Workload
	facts Facts
	keys  Keys
	plan  Plan

	status Status            // what was ours before
	own    map[string]string // the workload's annotations without ours
	ours   []string          // items that shall stand in the reload annotation
	why    []string
	agent  Status // what is said where the pods have the agent
}

func newPlanner(w *Workload, f Facts) *planner {
	if f.Reloader.Keys == (Keys{}) {
		f.Reloader.Keys = DefaultKeys()
	}
	p := &planner{w: w, facts: f, keys: f.Reloader.Keys, plan: Plan{annotations: map[string]*string{}}}
	var have map[string]string
	if w.Metadata != nil {
		have = w.Metadata.Annotations
	}
	p.status = parseStatus(have[StatusKey])
	p.own = withoutOurs(have, p.status)
	return p
}

// withoutOurs is what the user wrote: the annotations less what the status says is ours.
func withoutOurs(have map[string]string, s Status) map[string]string {
	if _, marked := have[StatusKey]; !marked {
		return have
	}
	own := make(map[string]string, len(have))
	for k, v := range have {
		if k == StatusKey {
			continue
		}
		if rest, left := removeItems(v, s.Added[k]); left {
			own[k] = rest
		}
	}
	return own
}

func (p *planner) decide() {
	if p.w.Metadata == nil || p.w.Metadata.DeletionTimestamp != "" {
		p.plan.Reason = ReasonDeleting
		return
	}
	referenced := p.w.Spec.Template.Spec.SecretNames()
	if len(referenced) == 0 {
		p.plan.Reason = ReasonNoSecret
		return
	}
	certificates := make(map[string][]Certificate, 1)
	for _, secret := range referenced {
		if found := p.facts.Certificates(secret); len(found) > 0 {
			certificates[secret] = found
			p.plan.Secrets = append(p.plan.Secrets, secret)
		}
	}
	if len(p.plan.Secrets) == 0 {
		p.plan.Reason = ReasonNoCertificate
		return
	}
	mode := p.mode()
	if mode == Unset || mode == Off {
		p.plan.Reason = ReasonOff
		return
	}
	if p.ownMethod(mode) {
		return
	}
	p.annotate(certificates)
}

// mode resolves the label: pod template, workload, namespace; the first that says something wins.
func (p *planner) mode() Mode {
	for _, level := range []struct {
		name, value string
	}{
		{"pod template", p.w.Spec.Template.Metadata.Labels.Reload},
		{"workload", p.w.Metadata.Labels.Reload},
		{"namespace", p.facts.NamespaceLabels[ReloadLabel]},
	} {
		mode, ok := ParseMode(level.value)
		if !ok {
			p.warn("%s=%q on the %s is not auto, annotation, sidecar or off; ignored", ReloadLabel, level.value, level.name)
			continue
		}
		if mode != Unset {
			return mode
		}
	}
	return Unset
}

// ownMethod handles a template that says itself how it reloads. It reports whether that settles the matter; where the
// agent cannot do it, Reloader does, with a warning.
func (p *planner) ownMethod(mode Mode) bool {
	if mode == Annotation {
		return false
	}
	if p.w.Pod == nil || !p.w.Declares() {
		if mode == Sidecar {
			p.warn("%s=sidecar does nothing without %s or %s; Reloader is used", ReloadLabel, MethodKey, PresetKey)
		}
		return false
	}
	if p.w.Metadata.Labels.Reload != "" && p.w.Spec.Template.Metadata.Labels.Reload == "" && !optedIn(p.facts.NamespaceLabels[ReloadLabel]) {
		p.warn("the agent cannot be used: put %s on the pod template, too; Reloader is used instead", ReloadLabel)
		return false
	}
	c, outcome, warnings := choose(situation{
		annotations: p.w.Spec.Template.Metadata.Annotations, spec: p.w.Pod, secrets: p.plan.Secrets, mode: mode, facts: &p.facts,
		instead: "Reloader is used instead",
	})
	p.plan.Warnings = append(p.plan.Warnings, warnings...)
	switch outcome {
	case watches:
		p.plan.Method, p.plan.Reason = MethodSelf, ReasonSelf
	case acts:
		if p.facts.Kept && p.status.Method != MethodSidecar {
			p.warn("the pods get the agent when they are made anew; until then Reloader is used")
			return false
		}
		p.plan.Method, p.plan.Reason = MethodSidecar, ReasonSidecar
		p.agent = Status{Version: p.facts.Version, Method: MethodSidecar, Why: "the pods have the agent; " + c.why()}
		if p.facts.Kept {
			p.agent = p.status
		}
		p.twice(c)
	case unfit:
		return false
	}
	return true
}

// twice warns where Reloader would roll out what the agent takes up in place.
func (p *planner) twice(c choice) {
	level, _ := p.keyLevel()
	if auto, _ := p.auto(level); auto && p.facts.Reloader.Found && len(c.consumer.watched) > 0 {
		p.warn("Reloader restarts these pods as well; %s=%q keeps it from that", p.keys.Exclude, c.consumer.watched[0].secret)
	}
}

// optedIn reports whether a namespace's label has its pods sent to certwire.
func optedIn(value string) bool { return value == string(Auto) || value == string(Sidecar) }

// settle turns the decision into annotations: the user's text, ours behind it, and the status.
func (p *planner) settle() {
	if p.plan.Reason == ReasonDeleting {
		return // as it is
	}
	want := p.agent
	if len(p.ours) > 0 {
		want = Status{
			Version: p.facts.Version,
			Method:  MethodAnnotation,
			Added:   map[string][]string{p.keys.Reload: p.ours},
			Why:     strings.Join(p.why, "; "),
		}
		user, present := p.own[p.keys.Reload]
		value := appendItems(user, present, p.ours)
		p.plan.annotations[p.keys.Reload] = &value
	}
	for key := range p.status.Added {
		if _, wanted := p.plan.annotations[key]; wanted {
			continue
		}
		if user, present := p.own[key]; present {
			p.plan.annotations[key] = &user
		} else {
			p.plan.annotations[key] = nil
		}
	}
	switch {
	case want.Method == MethodNone:
		p.plan.annotations[StatusKey] = nil
	case !p.status.same(want):
		value := want.String()
		p.plan.annotations[StatusKey] = &value
	}
}

func (p *planner) warn(format string, args ...any) {
	p.plan.Warnings = append(p.plan.Warnings, lines(fmt.Sprintf(format, args...))...)
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, item := range b {
		if !slices.Contains(out, item) {
			out = append(out, item)
		}
	}
	return out
}
