package mutate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/certwire/certwire/pkg/reload/spec"
)

// PodPlan is what certwire wants for a Pod that is about to be created.
type PodPlan struct {
	// Method is MethodSidecar when the agent is or will be in the pod.
	Method Method
	// Reason says why, in one word.
	Reason Reason
	// Warnings are for the person who creates the Pod, if it is one.
	Warnings []string

	ops []jsonpatch.Operation
}

// Patch returns the changes as operations on the object that the Pod was decoded from, or nil. Applied twice, the second
// time is empty.
func (p PodPlan) Patch() []jsonpatch.Operation { return p.ops }

// NewPodPlan decides about one Pod. It never fails: what cannot be understood is left alone. It comes to the same as
// [NewPlan] for the workload that the Pod is of.
func NewPodPlan(pod *Pod, f Facts) PodPlan {
	p := podPlanner{pod: pod, facts: f}
	p.decide()
	return p.plan
}

type podPlanner struct {
	pod   *Pod
	facts Facts
	plan  PodPlan
}

// mirrorKey marks the API server's image of a static pod, which nobody can change (kubernetes pkg/apis/core/annotation_key_constants.go).
const mirrorKey = corev1.MirrorPodAnnotationKey

func (p *podPlanner) decide() {
	if p.pod.Metadata == nil || p.pod.Metadata.Annotations[mirrorKey] != "" {
		p.plan.Reason = ReasonNoSecret
		return
	}
	p.unblock(p.ours())
	lean := References(&p.pod.Spec)
	referenced := lean.SecretNames()
	if len(referenced) == 0 {
		p.plan.Reason = ReasonNoSecret
		return
	}
	secrets := slices.DeleteFunc(referenced, func(secret string) bool { return len(p.facts.Certificates(secret)) == 0 })
	if len(secrets) == 0 {
		p.plan.Reason = ReasonNoCertificate
		return
	}
	mode := p.mode()
	if mode != Auto && mode != Sidecar {
		p.plan.Reason = ReasonOff
		return
	}
	s := situation{
		annotations: p.pod.Metadata.Annotations, spec: &p.pod.Spec, secrets: secrets, mode: mode, facts: &p.facts,
		instead: "nothing is injected",
	}
	if !declares(s.annotations) {
		if p.plan.Reason = p.leaveToOwner(mode); p.plan.Reason != "" {
			return
		}
		s.method = p.facts.Agent.Method
	}
	c, outcome, warnings := choose(s)
	p.plan.Warnings = warnings
	switch outcome {
	case watches:
		p.plan.Method, p.plan.Reason = MethodSelf, ReasonSelf
	case unfit:
		p.plan.Reason = ReasonSkipped
	case acts:
		p.inject(c)
	}
}

// mode resolves the label: pod, workload, namespace; the first that says something wins.
func (p *podPlanner) mode() Mode {
	for _, value := range []string{p.pod.Metadata.Labels[ReloadLabel], p.facts.Owner, p.facts.NamespaceLabels[ReloadLabel]} {
		if mode, ok := ParseMode(value); ok && mode != Unset {
			return mode
		}
	}
	return Unset
}

// leaveToOwner says why a pod that asks for nothing gets nothing; empty when nobody else would renew it.
func (p *podPlanner) leaveToOwner(mode Mode) Reason {
	if _, _, rollsOut := p.pod.Metadata.Workload(); rollsOut {
		return ReasonRollsOut
	}
	if ends := p.pod.Spec.RestartPolicy; ends != "" && ends != corev1.RestartPolicyAlways && mode != Sidecar {
		return ReasonJob // a Job's, or a step of a pipeline: it began with the newest certificate, and ends
	}
	return ""
}

// inject writes the operations down.
func (p *podPlanner) inject(c choice) {
	added := c.sidecar
	if at := p.ours(); at >= 0 {
		p.plan.Method, p.plan.Reason = MethodSidecar, ReasonInjected
		p.repair(at, added.container)
		return
	}
	if taken := p.taken(added); taken != "" {
		p.plan.Reason = ReasonTaken
		p.plan.Warnings = append(p.plan.Warnings, lines("something else in the pod is called "+taken+" already; nothing is injected")...)
		return
	}
	p.plan.Method, p.plan.Reason = MethodSidecar, ReasonInjected
	p.annotate(c, added)
	if c.shares {
		p.add("/spec/shareProcessNamespace", true)
	}
	volumes := make([]any, 0, len(added.volumes))
	for _, v := range added.volumes {
		volumes = append(volumes, v)
	}
	p.appendTo("/spec/volumes", p.pod.Spec.Volumes == nil, volumes...)
	p.appendTo("/spec/initContainers", p.pod.Spec.InitContainers == nil, added.container)
}

// ours finds the agent's container, if certwire added it: -1 without one. The status annotation tells, or the container's own
// configuration, since copies of a pod may come without annotations (kubectl debug).
func (p *podPlanner) ours() int {
	status := parseStatus(p.pod.Metadata.Annotations[StatusKey]).Added["spec.initContainers"]
	return slices.IndexFunc(p.pod.Spec.InitContainers, func(c corev1.Container) bool {
		configured := slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == spec.ConfigVariable })
		return c.Name == AgentName && (configured || slices.Contains(status, AgentName))
	})
}

// unblock puts back what another webhook has dropped: one that was built before a field existed loses it when it writes the
// object back. Without its restartPolicy the agent would be an init container that never ends, so this does not depend on
// what the plan is by now.
func (p *podPlanner) unblock(at int) {
	if at < 0 {
		return
	}
	if have := p.pod.Spec.InitContainers[at].RestartPolicy; have == nil || *have != corev1.ContainerRestartPolicyAlways {
		p.add(fmt.Sprintf("/spec/initContainers/%d/restartPolicy", at), corev1.ContainerRestartPolicyAlways)
	}
}

// repair puts back the rules by which the agent restarts the pod.
func (p *podPlanner) repair(at int, want corev1.Container) {
	if len(p.pod.Spec.InitContainers[at].RestartPolicyRules) == 0 && len(want.RestartPolicyRules) > 0 {
		p.add(fmt.Sprintf("/spec/initContainers/%d/restartPolicyRules", at), want.RestartPolicyRules)
	}
}

// taken finds a name of the agent's that somebody else has.
func (p *podPlanner) taken(s sidecar) string {
	for c := range allContainers(&p.pod.Spec) {
		if c.Name == AgentName {
			return "container " + AgentName
		}
	}
	for _, v := range s.volumes {
		if slices.ContainsFunc(p.pod.Spec.Volumes, func(o corev1.Volume) bool { return o.Name == v.Name }) {
			return "volume " + v.Name
		}
	}
	return ""
}

// annotate records what is added.
func (p *podPlanner) annotate(c choice, s sidecar) {
	names := make([]string, 0, len(s.volumes))
	for _, v := range s.volumes {
		names = append(names, v.Name)
	}
	added := map[string][]string{"spec.initContainers": {AgentName}, "spec.volumes": names}
	if c.shares {
		added["spec.shareProcessNamespace"] = []string{"true"}
	}
	status := Status{Version: p.facts.Version, Method: MethodSidecar, Added: added, Why: c.why()}.String()
	if p.pod.Metadata.Annotations == nil {
		p.add("/metadata/annotations", map[string]string{StatusKey: status})
		return
	}
	p.add(annotationPath(StatusKey), status)
}

// why says in a sentence what the agent does.
func (c *choice) why() string {
	secrets := map[string]bool{}
	for _, w := range c.consumer.watched {
		secrets[w.secret] = true
	}
	for _, secret := range c.consumer.unmounted {
		secrets[secret] = true
	}
	words := make([]string, 0, len(c.methods))
	for _, m := range c.methods {
		words = append(words, string(m))
	}
	text := "method " + strings.Join(words, ", then ") + " for Secret " + strings.Join(slices.Sorted(maps.Keys(secrets)), ", ")
	if c.spec.Preset != "" {
		text = "preset " + c.spec.Preset + ": " + text
	}
	if slices.Contains(c.methods, spec.SignalMethod) && c.shares {
		text += "; processes are shared for the signal"
	}
	return text
}

func (p *podPlanner) add(path string, value any) {
	p.plan.ops = append(p.plan.ops, jsonpatch.NewOperation("add", path, value))
}

// appendTo adds values behind a list's own, or makes the list. A list of another webhook's is never written anew.
func (p *podPlanner) appendTo(path string, absent bool, values ...any) {
	if absent {
		p.add(path, values)
		return
	}
	for _, v := range values {
		p.add(path+"/-", v)
	}
}
