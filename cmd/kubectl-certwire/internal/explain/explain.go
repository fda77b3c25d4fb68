package explain

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/certwire/certwire/pkg/mutate"
	"github.com/certwire/certwire/pkg/reload/spec"
)

// Explain explains one object. The error is for one that is not what its kind says.
func Explain(o Object, f Facts) (*Explanation, error) {
	e := &explainer{object: o, facts: f, Explanation: Explanation{Object: o.String(), Unseen: f.Unseen}}
	var err error
	if o.Kind == "Pod" {
		err = e.pod()
	} else {
		err = e.workload()
	}
	return &e.Explanation, err
}

type explainer struct {
	Explanation
	object Object
	facts  Facts
}

func (e *explainer) why(format string, args ...any) {
	e.Why = append(e.Why, fmt.Sprintf(format, args...))
}

func (e *explainer) next(format string, args ...any) {
	e.Next = append(e.Next, fmt.Sprintf(format, args...))
}

// workload explains a Deployment, StatefulSet or DaemonSet.
func (e *explainer) workload() error {
	w, err := mutate.Decode(e.object.JSON)
	if err != nil {
		return err
	}
	var template struct {
		Spec struct {
			Template corev1.PodTemplateSpec `json:"template"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(e.object.JSON, &template); err != nil {
		return fmt.Errorf("decoding the pod template: %w", err)
	}
	if w.Metadata == nil {
		w.Metadata = &mutate.Meta{}
	}
	if w.Declares() {
		w.Pod = &template.Spec.Template.Spec
	}
	plan := mutate.NewPlan(w, e.facts.plan(e.object))
	e.Reason, e.Warnings = string(plan.Reason), rejoined(plan.Warnings)
	e.secrets(w.Spec.Template.Spec.References(), plan.Reason)
	e.optIn([]level{
		{e.templateName(), w.Spec.Template.Metadata.Labels.Reload},
		{e.object.String(), w.Metadata.Labels.Reload}, {"Namespace " + e.object.Namespace, e.facts.Labels[mutate.ReloadLabel]},
	}, plan.Reason)
	switch plan.Reason {
	case mutate.ReasonNoSecret, mutate.ReasonNoCertificate, mutate.ReasonDeleting:
		return nil
	}
	e.renewals(plan.Secrets)
	e.effect(w, plan, &template.Spec.Template)
	return nil
}

// effect says what the plan comes to.
func (e *explainer) effect(w *mutate.Workload, plan mutate.Plan, template *corev1.PodTemplateSpec) {
	keys := e.facts.Reloader.Keys
	switch plan.Reason {
	case mutate.ReasonAnnotated:
		e.Enrolled = true
		if says := declared(template.Annotations); says != "" {
			e.why("%s says how its server takes up a certificate (%s), but the agent is not used now, see the warnings: it gets Reloader's annotation", e.templateName(), says)
		} else {
			e.why("it gets Reloader's annotation: %s does not say that its server can take up a certificate in place", e.templateName())
		}
		when := ""
		if want := plan.Changes(w)[keys.Reload]; want == nil {
			e.why("annotation %s=%q is on %s", keys.Reload, w.Metadata.Annotations[keys.Reload], e.object)
		} else {
			e.why("annotation %s=%q is not on %s yet: certwire adds it at the next apply, and adoption before that", keys.Reload, *want, e.object)
			when = "once the annotation is there, "
		}
		e.reloader(plan, when)
	case mutate.ReasonCovered:
		e.Enrolled = true
		e.why("Reloader's own annotations on %s cover its certificates already, so certwire adds nothing", e.object)
		e.reloader(plan, "")
	case mutate.ReasonSelf:
		e.Enrolled = true
		e.why("%s says that its server watches its files (%s)", e.templateName(), declared(template.Annotations))
		e.next("the kubelet writes the new files into each pod, usually within 40 to 77 s, and the server takes them up itself")
	case mutate.ReasonSidecar:
		e.Enrolled = true
		e.why("%s says how its server takes up a certificate (%s)", e.templateName(), declared(template.Annotations))
		e.agents(template)
	case mutate.ReasonOptedOut:
		e.why("an annotation of Reloader's on %s (%s or %s) says \"false\": its owner does not want it reloaded", e.object, keys.Auto, keys.Secret)
		e.next("nothing: its pods keep the certificate that they have until they are replaced")
	case mutate.ReasonSkipped:
		e.why("each of its certificate Secrets has a reason to be left alone, see the warnings")
		e.next("nothing: its pods keep the certificate that they have until they are replaced")
	case mutate.ReasonOff:
		e.byItself(w)
	}
}

func (e *explainer) templateName() string { return "the pod template of " + e.object.String() }

// declared lists what a template says about its server.
func declared(annotations map[string]string) string {
	var out []string
	for _, key := range []string{spec.PresetKey, spec.MethodKey, spec.HTTPKey, spec.SocketKey, spec.SignalKey} {
		if v := annotations[key]; v != "" {
			out = append(out, key+"="+v)
		}
	}
	return strings.Join(out, ", ")
}

// byItself tells whether Reloader acts on a workload that certwire leaves alone.
func (e *explainer) byItself(w *mutate.Workload) {
	in := *w
	meta := *w.Metadata
	in.Metadata, meta.Labels.Reload = &meta, string(mutate.Annotation)
	in.Spec.Template.Metadata.Labels.Reload = ""
	if plan := mutate.NewPlan(&in, e.facts.plan(e.object)); plan.Reason == mutate.ReasonCovered {
		e.why("all the same, Reloader's own annotations on %s cover its certificates", e.object)
		e.reloader(plan, "")
		return
	}
	e.next("nothing by certwire: its pods keep the certificate that they have until they are replaced")
	if w.Metadata.Labels.Reload != "" || w.Spec.Template.Metadata.Labels.Reload != "" {
		return // somebody has decided that
	}
	e.next("to enrol it: kubectl label namespace %s %s=%s, or the same label on the workload and its pod template", e.object.Namespace, mutate.ReloadLabel, mutate.Auto)
}

// reloader says what Reloader will do about the Secrets of a plan, and when: now, or after something.
func (e *explainer) reloader(plan mutate.Plan, when string) {
	for _, secret := range plan.Secrets {
		labels := map[string]string{"controller.cert-manager.io/fao": "true"} // every Secret that cert-manager writes has it
		for _, c := range e.facts.writing(secret) {
			if c.Spec.SecretTemplate != nil {
				maps.Copy(labels, c.Spec.SecretTemplate.Labels)
			}
		}
		if why := e.facts.Reloader.Inert(e.object.Namespace, e.facts.Labels, labels); why != "" {
			e.next("nothing for Secret %s: %s", secret, why)
			continue
		}
		at := e.facts.ReloaderAt
		if at == "" {
			at = "where it is was not seen"
		}
		e.next("%sReloader (%s) sees Secret %s change and rolls out new pods of %s, which read the new certificate", when, at, secret, e.object)
	}
}

// agents says which pods have the agent, and what it does there.
func (e *explainer) agents(template *corev1.PodTemplateSpec) {
	with, methods := 0, ""
	for i := range e.facts.Pods {
		if m, ok := agentOf(e.facts.Pods[i].Spec.InitContainers); ok {
			with, methods = with+1, m
		}
	}
	if methods == "" {
		methods = e.wouldDo(template)
	}
	e.next("the agent in each pod sees the new files, has the server take them up by method %s, and looks whether they are served", methods)
	switch n := len(e.facts.Pods); {
	case n == 0:
		e.why("it has no pods now; those that are made get the agent")
	case with == n:
		e.why("all of its pods (%d) have the agent", n)
	default:
		e.why("only %d of its %d pods have the agent: a pod gets it when it is made (kubectl rollout restart -n %s %s/%s)",
			with, n, e.object.Namespace, strings.ToLower(e.object.Kind), e.object.Name)
		e.next("nothing in the pods without the agent")
	}
}

// wouldDo plans a pod of the template and reads which methods its agent would have.
func (e *explainer) wouldDo(template *corev1.PodTemplateSpec) string {
	pod := &mutate.Pod{Metadata: &mutate.PodMeta{Name: e.object.Name, Labels: template.Labels, Annotations: template.Annotations}, Spec: template.Spec}
	facts := e.facts.plan(e.object)
	for _, op := range mutate.NewPodPlan(pod, facts).Patch() {
		values, ok := op.Value.([]any)
		if !ok {
			values = []any{op.Value}
		}
		for _, v := range values {
			if c, ok := v.(corev1.Container); ok {
				if m, ok := agentOf([]corev1.Container{c}); ok {
					return m
				}
			}
		}
	}
	return "as declared"
}

// agentOf finds the agent among init containers and reads its methods; false without one.
func agentOf(containers []corev1.Container) (methods string, ok bool) {
	for i := range containers {
		c := &containers[i]
		if c.Name != mutate.AgentName {
			continue
		}
		var config spec.Config
		for _, env := range c.Env {
			if env.Name == spec.ConfigVariable {
				_ = json.Unmarshal([]byte(strings.ReplaceAll(env.Value, "$$", "$")), &config)
			}
		}
		return config.Method, true
	}
	return "", false
}

// secrets says which Secrets are referred to, and who writes them.
func (e *explainer) secrets(references []mutate.Reference, reason mutate.Reason) {
	if len(references) == 0 {
		e.why("it refers to no Secret, so there is nothing to renew")
		return
	}
	places := map[string][]string{}
	frozen := map[string]bool{}
	var names []string
	for _, r := range references {
		if !slices.Contains(names, r.Secret) {
			names = append(names, r.Secret)
		}
		places[r.Secret] = append(places[r.Secret], string(r.Via)+" "+r.Where)
		frozen[r.Secret] = frozen[r.Secret] || r.Frozen
	}
	slices.Sort(names)
	for _, secret := range names {
		text := fmt.Sprintf("Secret %s (%s)", secret, strings.Join(slices.Compact(places[secret]), ", "))
		switch writers := e.facts.writing(secret); {
		case e.facts.CertificatesUnseen:
			text += ": whether a Certificate writes it could not be seen"
		case len(writers) == 0:
			text += ": no Certificate in Namespace " + e.object.Namespace + " writes it, so it is none of certwire's"
		default:
			text += " is written by " + certificateNames(writers)
			if frozen[secret] {
				text += "; through env or subPath, so only new containers see a new one"
			}
		}
		e.why("%s", text)
	}
	if reason == mutate.ReasonNoCertificate && e.facts.CertificatesUnseen {
		e.next("unknown: that depends on the Certificates")
	}
}

func certificateNames(list []cmapi.Certificate) string {
	var names []string
	for _, c := range list {
		names = append(names, c.Name)
	}
	if len(names) == 1 {
		return "Certificate " + names[0]
	}
	return "Certificates " + strings.Join(names, ", ")
}

// level is a place where the label may stand.
type level struct{ where, value string }

// optIn says which label decides.
func (e *explainer) optIn(levels []level, reason mutate.Reason) {
	switch reason {
	case mutate.ReasonNoSecret, mutate.ReasonNoCertificate:
		return
	case mutate.ReasonDeleting:
		e.why("%s is being deleted", e.object)
		return
	}
	for _, l := range levels {
		mode, ok := mutate.ParseMode(l.value)
		switch {
		case !ok || mode == mutate.Unset:
			continue
		case mode == mutate.Off:
			e.why("label %s=%s on %s takes it out", mutate.ReloadLabel, l.value, l.where)
		default:
			e.why("label %s=%s on %s opts it in", mutate.ReloadLabel, l.value, l.where)
		}
		return
	}
	var places []string
	for _, l := range levels {
		places = append(places, l.where)
	}
	e.why("no label %s on %s", mutate.ReloadLabel, strings.Join(places, ", "))
}

// renewals says when each Certificate is renewed.
func (e *explainer) renewals(secrets []string) {
	for _, secret := range secrets {
		for _, c := range e.facts.writing(secret) {
			switch at := c.Status.RenewalTime; {
			case at != nil:
				e.next("Certificate %s is renewed at %s (status.renewalTime), and Secret %s is written anew", c.Name, at.UTC().Format("2006-01-02 15:04 MST"), secret)
			case c.Status.NotAfter == nil:
				e.next("Certificate %s was not issued yet: Secret %s is written when it is", c.Name, secret)
			default:
				e.next("Certificate %s says no time for its renewal", c.Name)
			}
		}
	}
}

// rejoined puts warnings together again that were broken to fit a line of kubectl's.
func rejoined(lines []string) []string {
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
