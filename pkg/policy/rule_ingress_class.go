// Rule ingress-class: the ingress class of an HTTP-01 solver exists.
//
// For HTTP-01 cert-manager makes an Ingress of the solver's class. If no controller serves that class, the CA is
// answered 404 or by somebody else, the challenge stays pending and the name's authorization fails or goes stale.
//
// Warned about: an Issuer or ClusterIssuer whose solvers name a class that no IngressClass of the cluster has, and a
// Certificate whose names would be proved by such a solver, or by a class in its own override annotations
// (acme.cert-manager.io/http01-override-ingress-class and -ingressclassname). It only warns, since the class is another
// object, and a controller may serve the old annotation (solvers with "class") without an IngressClass.
//
// Not looked at: solvers without a class, with the name of an Ingress, or for the Gateway API; and everything where
// certwire may not list IngressClasses.
//
// Reasons: ingress-class.

package policy

import (
	"fmt"
	"slices"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
)

// IngressClass is the name of the rule in rule_ingress_class.go.
const IngressClass RuleName = "ingress-class"

// ReasonIngressClass is the reason of [IngressClass].
const ReasonIngressClass Reason = "ingress-class"

var ingressClass = Rule{
	Name:    IngressClass,
	Reasons: []Reason{ReasonIngressClass},
	Concerns: func(old, updated Object) bool {
		if updated.Kind == Certificate {
			return namesOrIssuerChanged(old, updated)
		}
		return solversChanged(old, updated)
	},
	Check: checkIngressClass,
}

func checkIngressClass(r Request) Finding {
	if r.IngressClasses == nil || !forACME(r, Certificate, IssuerKind, ClusterIssuer) {
		return Finding{}
	}
	var lines []string
	seen := map[classAt]bool{}
	for _, at := range r.classes() {
		if at.class == "" || seen[at] || slices.Contains(r.IngressClasses, at.class) {
			continue
		}
		seen[at] = true
		if at.field == "class" {
			lines = append(lines, fmt.Sprintf("%s: no IngressClass is named %q; does a controller serve that annotation?", at.where, at.class))
		} else {
			lines = append(lines, fmt.Sprintf("%s: ingressClassName %q names no IngressClass of this cluster", at.where, at.class))
		}
	}
	if len(lines) == 0 {
		return Finding{}
	}
	return advise(IngressClass, ReasonIngressClass, append(firstLines(lines), "a class that nobody serves fails every HTTP-01 challenge, until the limit for failures stops you")...)
}

// classAt is an ingress class and the place that names it.
type classAt struct{ where, field, class string }

// classes are the ones that an issuer names, or that a Certificate's challenges would use.
func (r Request) classes() []classAt {
	of := func(i int) classAt {
		s := r.Issuer.Solvers[i]
		where := fmt.Sprintf("spec.acme.solvers[%d]", i)
		if r.Object.Kind == Certificate {
			where = r.Issuer.Ref.String()
		}
		return classAt{where, s.ClassField, s.Class}
	}
	var out []classAt
	if r.Object.Kind != Certificate {
		for i := range r.Issuer.Solvers {
			out = append(out, of(i))
		}
		return out
	}
	override, overridden := r.Object.classOverride()
	for _, name := range r.Object.Identifiers() {
		i, ok := PickSolver(r.Issuer.Solvers, name, r.Object.Labels)
		switch {
		case !ok || !r.Issuer.Solvers[i].Ingress:
		case overridden:
			out = append(out, override)
		default:
			out = append(out, of(i))
		}
	}
	return out
}

// classOverride reads the annotations that replace a solver's class (cert-manager, pkg/controller/acmeorders/util.go).
// The name of an Ingress replaces it by no class.
func (o *Object) classOverride() (classAt, bool) {
	if class, ok := o.Annotations[acmeapi.ACMECertificateHTTP01IngressClassNameOverride]; ok {
		return classAt{"its annotation", "ingressClassName", class}, true
	}
	if class, ok := o.Annotations[acmeapi.ACMECertificateHTTP01IngressClassOverride]; ok {
		return classAt{"its annotation", "class", class}, true
	}
	_, ok := o.Annotations[acmeapi.ACMECertificateHTTP01IngressNameOverride]
	return classAt{}, ok
}
