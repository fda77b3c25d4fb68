package admission

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"

	"github.com/certwire/certwire/pkg/policy"
)

// breakGlass lets a refusal pass when the object says why (the annotation) and the requester may (the RBAC verb). The
// annotation alone is anybody's, and the verb alone is every cluster-admin's and every deployment pipeline's with them,
// so neither is enough. It is asked only here, on the way to a refusal, so it costs ordinary requests nothing. When the
// question cannot be answered the refusal stands.
func (h *Guard) breakGlass(ctx context.Context, r *request[jsontext.Value], facts policy.Request, d policy.Decision) policy.Decision {
	who := Requester{Username: r.UserInfo.Username, UID: r.UserInfo.UID, Groups: r.UserInfo.Groups, Extra: r.UserInfo.Extra}
	may, err := h.Permissions.MayBreakGlass(ctx, who, r.Namespace, d.Rule)
	switch {
	case err != nil:
		h.Recorder.Failure(h.Name(), StageLookup)
		d.Message += " (Break-glass could not be checked: the API server did not answer.)"
		return d
	case !may:
		d.Message += fmt.Sprintf(" (%s is set, but the requester lacks the verb break-glass on rules.certwire.dev %s here.)",
			policy.BreakGlassKey, d.Rule)
		return d
	}
	return policy.Decision{
		Verdict: policy.Warn, Rule: d.Rule, Reason: policy.ReasonBreakGlass,
		Warnings: append(d.Warnings[:min(1, len(d.Warnings)):min(1, len(d.Warnings))], fmt.Sprintf("let through by break-glass for %s, which is in the audit log", facts.Object.Name)),
	}
}

// Reviews asks the API server by SubjectAccessReview.
type Reviews struct {
	Client authorizationclient.SubjectAccessReviewInterface
}

// MayBreakGlass implements [Permissions]. The error wraps the API server's.
func (p Reviews) MayBreakGlass(ctx context.Context, who Requester, namespace string, rule policy.RuleName) (bool, error) {
	extra := map[string]authorizationv1.ExtraValue{}
	for k, v := range who.Extra {
		extra[k] = v
	}
	review, err := p.Client.Create(ctx, &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: who.Username, UID: who.UID, Groups: who.Groups, Extra: extra,
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: namespace, Verb: "break-glass", Group: "certwire.dev", Resource: "rules", Name: string(rule),
			},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("asking whether %s may break the glass: %w", who.Username, err)
	}
	return review.Status.Allowed, nil
}
