package explain

import (
	"slices"
	"strings"

	"github.com/certwire/certwire/pkg/mutate"
)

// pod explains a Pod. Pods are decided about when they are made, so what it has counts, not only what it would get.
func (e *explainer) pod() error {
	p, err := mutate.DecodePod(e.object.JSON)
	if err != nil {
		return err
	}
	if p.Metadata == nil {
		p.Metadata = &mutate.PodMeta{}
	}
	plan := mutate.NewPodPlan(p, e.facts.plan(e.object))
	e.Reason, e.Warnings = string(plan.Reason), rejoined(plan.Warnings)
	references := mutate.References(&p.Spec)
	e.secrets(references.References(), plan.Reason)
	kind, name, owned := p.Metadata.Workload()
	owner := kind + " " + e.object.Namespace + "/" + name
	levels := []level{{e.object.String(), p.Metadata.Labels[mutate.ReloadLabel]}}
	if owned {
		levels = append(levels, level{owner, e.facts.Owner})
	}
	e.optIn(append(levels, level{"Namespace " + e.object.Namespace, e.facts.Labels[mutate.ReloadLabel]}), plan.Reason)
	if plan.Reason == mutate.ReasonNoSecret || plan.Reason == mutate.ReasonNoCertificate {
		return nil
	}
	e.renewals(slices.DeleteFunc(references.SecretNames(), func(s string) bool { return len(e.facts.writing(s)) == 0 }))
	methods, has := agentOf(p.Spec.InitContainers)
	switch {
	case has:
		e.Enrolled = true
		e.why("it has the agent")
		e.next("the agent sees the new files, has the server take them up by method %s, and looks whether they are served", methods)
		return nil
	case plan.Reason == mutate.ReasonInjected && !e.object.Stored:
		e.Enrolled = true
		e.why("it gets the agent when it is made")
		return nil
	case plan.Reason == mutate.ReasonInjected:
		e.why("it would get the agent, but was made before certwire could inject it: only a new Pod gets it")
		e.next("nothing in this Pod, until it is made anew")
		return nil
	}
	e.podWithout(plan.Reason, kind, name, owner, declared(p.Metadata.Annotations))
	return nil
}

// podWithout explains a Pod that gets no agent.
func (e *explainer) podWithout(reason mutate.Reason, kind, name, owner, says string) {
	switch reason {
	case mutate.ReasonSelf:
		e.Enrolled = true
		e.why("it says that its server watches its files (%s)", says)
		e.next("the kubelet writes the new files, usually within 40 to 77 s, and the server takes them up itself")
	case mutate.ReasonRollsOut:
		e.why("it says nothing of its server, and %s can replace it", owner)
		e.next("what becomes of it is decided there: kubectl certwire explain -n %s %s/%s", e.object.Namespace, strings.ToLower(kind), name)
	case mutate.ReasonJob:
		e.why("a Job made it: it began with the newest certificate, and ends")
		e.next("nothing")
	case mutate.ReasonTaken:
		e.why("something else in it has the agent's name, see the warnings")
		e.next("nothing")
	case mutate.ReasonSkipped:
		e.why("the agent cannot work in it, see the warnings")
		e.next("nothing: it keeps the certificate that it has until it is replaced")
	default:
		e.next("nothing by certwire: it keeps the certificate that it has until it is replaced")
	}
}
