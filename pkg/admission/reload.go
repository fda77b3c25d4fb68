package admission

import (
	"bytes"
	"context"
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	corev1 "k8s.io/api/core/v1"

	"github.com/certwire/certwire/pkg/config"
	"github.com/certwire/certwire/pkg/mutate"
)

// Workloads is what [Reload] asks of the inventory. All but NamespaceLabels answer from memory.
type Workloads interface {
	// Ready returns nil once the answers are complete; before that a plan would take away what is ours.
	Ready() error
	// Installed is false while the cluster has no cert-manager.
	Installed() bool
	// NamespaceLabels returns a namespace's labels, which are not changed; an error means that nobody knows.
	// It takes at most half of the time that the context leaves.
	NamespaceLabels(ctx context.Context, namespace string) (map[string]string, error)
	// Certificates returns the Certificates that write to a Secret.
	Certificates(namespace, secret string) []mutate.Certificate
	// Reloader returns what is known of the cluster's Reloader.
	Reloader() mutate.Reloader
	// Features says what the API server and every node can do; false while nobody knows.
	Features() (mutate.Features, bool)
	// Limits returns the bounds that a namespace's LimitRanges set on containers and pods.
	Limits(namespace string) []corev1.LimitRangeItem
}

// Reload is the mutating hook: it brings a workload's reload annotation to where the plan wants it. It never denies.
type Reload struct {
	Workloads Workloads
	// Settings returns the configuration in force.
	Settings func() *config.Settings
	Recorder Recorder
	// Version is certwire's, for the status annotation.
	Version string
}

// The reasons for which no plan is made.
const (
	reasonNotAWorkload  mutate.Reason = "not-a-workload"
	reasonNoCertManager mutate.Reason = "no-cert-manager"
)

// Name implements [Reviewer].
func (*Reload) Name() string { return "reload" }

// Review implements [Reviewer].
func (h *Reload) Review(ctx context.Context, body []byte) (Response, error) {
	r, err := decode[mutate.Workload](body)
	if err != nil {
		return Response{}, at(StageDecode, err)
	}
	if !isWorkload(r.Kind) || r.SubResource != "" || (r.Operation != "CREATE" && r.Operation != "UPDATE") {
		return h.answer(r, mutate.Plan{Reason: reasonNotAWorkload}), nil
	}
	if err := h.Workloads.Ready(); err != nil {
		return Response{}, at(StageCache, err)
	}
	if !h.Workloads.Installed() {
		return h.answer(r, mutate.Plan{Reason: reasonNoCertManager}), nil
	}
	labels, err := h.Workloads.NamespaceLabels(ctx, r.Namespace)
	if err != nil {
		return Response{}, at(StageLookup, err)
	}
	features, err := h.template(body, &r.Object)
	kept := err == nil && r.Operation == "UPDATE" && r.Object.Declares() && sameTemplate(body)
	if err != nil {
		return Response{}, err
	}
	settings := h.Settings()
	return h.answer(r, mutate.NewPlan(&r.Object, mutate.Facts{
		Agent:           settings.Agent,
		Features:        settings.Features(features),
		Kept:            kept,
		Namespace:       r.Namespace,
		NamespaceLabels: labels,
		Certificates:    func(secret string) []mutate.Certificate { return h.Workloads.Certificates(r.Namespace, secret) },
		Reloader:        h.Workloads.Reloader(),
		Limits:          h.Workloads.Limits(r.Namespace),
		Version:         h.Version,
	})), nil
}

// template reads the pod template in full where the plan needs it: few say anything of the agent, and a full pod spec takes
// more time to read than all else takes together.
func (h *Reload) template(body []byte, w *mutate.Workload) (mutate.Features, error) {
	if !w.Declares() {
		return mutate.Features{}, nil
	}
	features, known := h.Workloads.Features()
	if !known {
		return features, at(StageCache, errNoFeatures)
	}
	full, err := decode[mutate.Template](body)
	if err != nil {
		return features, at(StageDecode, err)
	}
	w.Pod = &full.Object.Spec.Template.Spec
	return features, nil
}

// templates are the pod templates of both objects of an update.
type templates struct {
	Spec struct {
		Template jsontext.Value `json:"template"`
	} `json:"spec"`
}

// sameTemplate reports whether an update leaves the pod template alone: then no pod is made anew. Both come from the same
// server's encoder, so that the same template is the same bytes; were they not, the pods would be taken for new ones.
func sameTemplate(body []byte) bool {
	r, err := decode[templates](body)
	if err != nil {
		return false
	}
	var old templates
	if json.Unmarshal(r.OldObject, &old) != nil {
		return false
	}
	return len(old.Spec.Template) > 0 && bytes.Equal(old.Spec.Template, r.Object.Spec.Template)
}

var errNoFeatures = errors.New("it is not known yet what the nodes can do")

// answer is the only place that turns a plan into a response. Nothing to change means not even an empty patch: a patch
// costs the API server as much again as the call.
func (h *Reload) answer(r *request[mutate.Workload], plan mutate.Plan) Response {
	patch := plan.Patch(&r.Object)
	verdict := "allow"
	switch {
	case len(patch) > 0:
		verdict = "patch"
	case len(plan.Warnings) > 0:
		verdict = "warn"
	}
	h.Recorder.Decision(h.Name(), verdict, string(plan.Reason), r.Operation, r.DryRun)
	if verdict == "allow" {
		return allowed(r.UID, nil)
	}
	audit := map[string]string{"reload": string(plan.Reason)}
	if len(patch) == 0 {
		return allowed(r.UID, audit, plan.Warnings...)
	}
	return patched(r.UID, patch, audit, plan.Warnings)
}

// Failed implements [Reviewer]: open. The workload is admitted as it is, and adoption brings it in later.
func (h *Reload) Failed(uid string, cause error) Response {
	return allowed(uid, map[string]string{"error": string(stageOf(cause))},
		"certwire did not look at this workload ("+string(stageOf(cause))+"); it is brought in later by itself")
}

func isWorkload(k groupVersionKind) bool {
	return k.Group == "apps" && (k.Kind == "Deployment" || k.Kind == "StatefulSet" || k.Kind == "DaemonSet")
}
