package mutate

import (
	"maps"
	"slices"
	"strconv"
)

// annotate applies Reloader's own decision order (stakater/Reloader, pkg/common/common.go, ShouldReload) to find the
// Secrets that it would not reload on yet, and names those.
func (p *planner) annotate(certificates map[string][]Certificate) {
	level, onTemplate := p.keyLevel()
	auto, off := p.auto(level)
	if off {
		p.plan.Reason = ReasonOptedOut
		return
	}
	items := split(level[p.keys.Reload])
	var need []string
	covered := false
	for _, secret := range p.plan.Secrets {
		certs := certificates[secret]
		switch {
		case len(certs) > 1:
			p.warn("Secret %s is the secretName of %d Certificates, which may overwrite each other; it is left alone", secret, len(certs))
		case certs[0].SecretAnnotations[p.keys.Ignore] == "true":
			p.warn("Certificate %s tells Reloader to ignore Secret %s (%s)", certs[0].Name, secret, p.keys.Ignore)
		case slices.Contains(split(p.own[p.keys.Exclude]), secret):
			p.warn("%s names Secret %s, so Reloader never acts on it", p.keys.Exclude, secret)
		case auto, names(items, secret), level[p.keys.Search] == "true" && certs[0].SecretAnnotations[p.keys.Match] == "true":
			covered = true
		case onTemplate && level[p.keys.Search] == "true":
			p.warn("%s on the pod template is lost if the workload names Secret %s; add it yourself", p.keys.Search, secret)
		default:
			need = append(need, secret)
			p.why = append(p.why, "Certificate "+certs[0].Name+" writes Secret "+secret)
			p.effect(secret, certs[0])
		}
	}
	switch {
	case len(need) > 0:
		p.ours = need
		if onTemplate {
			p.ours = union(items, need)
		}
		p.plan.Method, p.plan.Reason = MethodAnnotation, ReasonAnnotated
	case covered:
		p.plan.Reason = ReasonCovered
	default:
		p.plan.Reason = ReasonSkipped
	}
}

// keyLevel returns the annotations that Reloader reads for a Secret: the workload's, or, when the workload has none of
// the four keys, the pod template's. It is all or nothing, so that one key on the workload disables all of the
// template's: the second result tells that the template's are in force.
func (p *planner) keyLevel() (map[string]string, bool) {
	four := []string{p.keys.Reload, p.keys.Search, p.keys.Auto, p.keys.Secret}
	has := func(annotations map[string]string) bool {
		return slices.ContainsFunc(four, func(key string) bool { _, ok := annotations[key]; return ok })
	}
	if template := p.w.Spec.Template.Metadata.Annotations; !has(p.own) && has(template) {
		return template, true
	}
	return p.own, false
}

// auto reads the two automatic keys: on when either is true, or when neither is set and Reloader reloads everything.
// The user has opted out when one says "false" and none says "true": a named Secret would override that.
func (p *planner) auto(level map[string]string) (on, off bool) {
	general, typed := level[p.keys.Auto], level[p.keys.Secret]
	generalOn, generalErr := strconv.ParseBool(general)
	typedOn, typedErr := strconv.ParseBool(typed)
	if generalOn || typedOn || (general == "" && typed == "" && p.facts.Reloader.AutoReloadAll) {
		return true, false
	}
	return false, (generalErr == nil && !generalOn) || (typedErr == nil && !typedOn)
}

// effect warns where the annotation would do less than people expect.
func (p *planner) effect(secret string, cert Certificate) {
	labels := map[string]string{"controller.cert-manager.io/fao": "true"} // every Secret that cert-manager writes has it
	maps.Copy(labels, cert.SecretLabels)
	if why := p.facts.Reloader.Inert(p.facts.Namespace, p.facts.NamespaceLabels, labels); why != "" {
		p.warn("the reload annotation for Secret %s has no effect: %s", secret, why)
	}
	if p.w.Spec.UpdateStrategy.Type == "OnDelete" {
		p.warn("updateStrategy OnDelete: pods take up a new %s only when they are deleted", secret)
	}
	if n := p.w.Spec.UpdateStrategy.RollingUpdate.Partition; n > 0 {
		p.warn("updateStrategy partition %d: pods with a lower ordinal keep the old %s until they are deleted", n, secret)
	}
	if p.w.Spec.Paused {
		p.warn("the Deployment is paused: pods take up a new %s only when it is resumed", secret)
	}
}
