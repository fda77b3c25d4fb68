package admission

import (
	"context"

	"github.com/certwire/certwire/pkg/config"
	"github.com/certwire/certwire/pkg/mutate"
)

// Templates is what [Pods] asks of the inventory beside what [Reload] does. It answers from memory.
type Templates interface {
	Workloads
	// OwnerLabel returns the value of certwire.dev/reload on a workload; empty for none.
	OwnerLabel(namespace, kind, name string) string
}

// Pods is the mutating hook that injects the agent. It never denies.
type Pods struct {
	Templates Templates
	// Settings returns the configuration in force.
	Settings func() *config.Settings
	Recorder Recorder
	// Version is certwire's, for the status annotation.
	Version string
}

// Name implements [Reviewer].
func (*Pods) Name() string { return "pods" }

// Review implements [Reviewer].
func (h *Pods) Review(ctx context.Context, body []byte) (Response, error) {
	r, err := decode[mutate.Pod](body)
	if err != nil {
		return Response{}, at(StageDecode, err)
	}
	if r.Kind.Group != "" || r.Kind.Kind != "Pod" || r.SubResource != "" || r.Operation != "CREATE" {
		return h.answer(r, mutate.PodPlan{Reason: reasonNotAWorkload}), nil
	}
	if err := h.Templates.Ready(); err != nil {
		return Response{}, at(StageCache, err)
	}
	if !h.Templates.Installed() {
		return h.answer(r, mutate.PodPlan{Reason: reasonNoCertManager}), nil
	}
	features, known := h.Templates.Features()
	if !known {
		return Response{}, at(StageCache, errNoFeatures)
	}
	labels, err := h.Templates.NamespaceLabels(ctx, r.Namespace)
	if err != nil {
		return Response{}, at(StageLookup, err)
	}
	settings := h.Settings()
	facts := mutate.Facts{
		Namespace:       r.Namespace,
		NamespaceLabels: labels,
		Certificates:    func(secret string) []mutate.Certificate { return h.Templates.Certificates(r.Namespace, secret) },
		Agent:           settings.Agent,
		Features:        settings.Features(features),
		Limits:          h.Templates.Limits(r.Namespace),
		Version:         h.Version,
	}
	if r.Object.Metadata != nil {
		if kind, name, ok := r.Object.Metadata.Workload(); ok {
			facts.Owner = h.Templates.OwnerLabel(r.Namespace, kind, name)
		}
	}
	return h.answer(r, mutate.NewPodPlan(&r.Object, facts)), nil
}

// answer turns a plan into a response. Controllers create most pods, and nobody reads what they are warned of: the same
// warnings are given on the workload's request.
func (h *Pods) answer(r *request[mutate.Pod], plan mutate.PodPlan) Response {
	patch := plan.Patch()
	warnings := plan.Warnings
	if m := r.Object.Metadata; m != nil && len(m.OwnerReferences) > 0 {
		warnings = nil
	}
	verdict := "allow"
	switch {
	case len(patch) > 0:
		verdict = "patch"
	case len(warnings) > 0:
		verdict = "warn"
	}
	h.Recorder.Decision(h.Name(), verdict, string(plan.Reason), r.Operation, r.DryRun)
	audit := map[string]string{"inject": string(plan.Reason)}
	if len(patch) == 0 {
		if verdict == "allow" && len(plan.Warnings) == 0 {
			audit = nil
		}
		return allowed(r.UID, audit, warnings...)
	}
	return patched(r.UID, patch, audit, warnings)
}

// Failed implements [Reviewer]: open. The Pod is admitted as it is; it has no agent then until it is made anew.
func (h *Pods) Failed(uid string, cause error) Response {
	return allowed(uid, map[string]string{"error": string(stageOf(cause))},
		"certwire did not look at this pod ("+string(stageOf(cause))+"); it has no agent")
}
