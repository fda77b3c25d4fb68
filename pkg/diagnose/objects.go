package diagnose

import (
	"maps"
	"strconv"
	"strings"
	"time"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certwire/certwire/pkg/policy"
)

func condition(status cmmeta.ConditionStatus, reason, message string, since *metav1.Time) Condition {
	return Condition{
		True: status == cmmeta.ConditionTrue, False: status == cmmeta.ConditionFalse,
		Reason: clean(reason, 100), Message: clean(message, maxKept), Since: timeOf(since),
	}
}

func timeOf(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

// NewCertificate reads a Certificate.
func NewCertificate(c *cmapi.Certificate) Certificate {
	out := Certificate{
		Namespace: c.Namespace, Name: c.Name, Secret: c.Spec.SecretName, Created: c.CreationTimestamp.Time,
		Deleting: c.DeletionTimestamp != nil, Renewal: timeOf(c.Status.RenewalTime), Failed: timeOf(c.Status.LastFailureTime),
		Key: c.Status.NextPrivateKeySecretName != nil && *c.Status.NextPrivateKeySecretName != "",
	}
	if c.Status.Revision != nil {
		out.Revision = int64(*c.Status.Revision)
	}
	if c.Status.FailedIssuanceAttempts != nil {
		out.Failures = *c.Status.FailedIssuanceAttempts
	}
	for _, k := range c.Status.Conditions {
		switch k.Type {
		case cmapi.CertificateConditionReady:
			out.Ready = condition(k.Status, k.Reason, k.Message, k.LastTransitionTime)
		case cmapi.CertificateConditionIssuing:
			out.Issuing = condition(k.Status, k.Reason, k.Message, k.LastTransitionTime)
		}
	}
	return out
}

// NewRequest reads a CertificateRequest.
func NewRequest(r *cmapi.CertificateRequest) *Request {
	out := &Request{Name: r.Name, Created: r.CreationTimestamp.Time, Failed: timeOf(r.Status.FailureTime)}
	out.Revision, _ = strconv.ParseInt(r.Annotations[cmapi.CertificateRequestRevisionAnnotationKey], 10, 64)
	for _, k := range r.Status.Conditions {
		c := condition(k.Status, k.Reason, k.Message, k.LastTransitionTime)
		switch k.Type {
		case cmapi.CertificateRequestConditionApproved:
			c.Message = "" // nobody asks, and there are many
			out.Approved = c
		case cmapi.CertificateRequestConditionDenied:
			out.Denied = c
		case cmapi.CertificateRequestConditionInvalidRequest:
			out.Invalid = c
		case cmapi.CertificateRequestConditionReady:
			out.Ready = c
			out.Granted = c.True
			if c.False && c.Reason == cmapi.CertificateRequestReasonPending {
				out.Refusal = clean(Refusal(k.Message), maxMessage)
			}
		}
	}
	return out
}

// OrdersWebhook is the name of the webhook that refuses Orders: the API server puts it into the refusal, and
// cert-manager copies that into the CertificateRequest's condition.
const OrdersWebhook = "orders.guard.certwire.dev"

// Unreachable begins the refusal of a request whose Order the API server could not ask certwire about.
const Unreachable = `failed calling webhook "` + OrdersWebhook + `"`

// Refusal finds certwire's part in what cert-manager says of an Order that it could not create: the refusal's text, or
// that no replica answered. Empty when certwire has nothing to do with it.
func Refusal(message string) string {
	if _, refusal, ok := strings.Cut(message, `"`+OrdersWebhook+`" denied the request: `); ok {
		return refusal
	}
	if i := strings.Index(message, Unreachable); i >= 0 {
		return message[i:]
	}
	return ""
}

// NewOrder reads an Order.
func NewOrder(o *acmeapi.Order) *Order {
	out := &Order{
		Name: o.Name, Created: o.CreationTimestamp.Time, State: o.Status.State, Placed: o.Status.URL != "",
		Reason: clean(o.Status.Reason, maxKept), Failed: timeOf(o.Status.FailureTime),
	}
	if owner := metav1.GetControllerOf(o); owner != nil {
		out.Request = owner.Name
	}
	if acmeIsFinal(o.Status.State) {
		return out
	}
	out.Labels = maps.Clone(o.Labels)
	for _, key := range []string{
		acmeapi.ACMECertificateHTTP01IngressNameOverride, acmeapi.ACMECertificateHTTP01IngressClassOverride, acmeapi.ACMECertificateHTTP01IngressClassNameOverride,
	} {
		if _, ok := o.Annotations[key]; ok {
			out.Overrides++
		}
	}
	out.Known = len(o.Status.Authorizations) > 0
	for _, a := range o.Status.Authorizations {
		if a.Identifier == "" {
			out.Known = false // cert-manager has not fetched it yet
		}
		if a.InitialState == acmeapi.Valid || a.Identifier == "" {
			continue
		}
		name := a.Identifier
		if a.Wildcard != nil && *a.Wildcard {
			name = "*." + name
		}
		out.Names = append(out.Names, name)
	}
	return out
}

// acmeIsFinal reports whether nothing more comes of an Order or a Challenge (cert-manager, pkg/acme/acme.go).
func acmeIsFinal(s acmeapi.State) bool { return s == acmeapi.Valid || failedState(s) }

func failedState(s acmeapi.State) bool {
	return s == acmeapi.Invalid || s == acmeapi.Errored || s == acmeapi.Expired
}

// NewChallenge reads a Challenge.
func NewChallenge(c *acmeapi.Challenge) *Challenge {
	out := &Challenge{
		Namespace: c.Namespace, Name: c.Name, Created: c.CreationTimestamp.Time, Domain: c.Spec.DNSName, Identifier: c.Spec.DNSName, Type: c.Spec.Type,
		State: c.Status.State, Processing: c.Status.Processing, Presented: c.Status.Presented, PresentedAt: timeOf(c.Status.PresentedAt),
		Reason: clean(c.Status.Reason, maxKept),
	}
	if c.Spec.Wildcard {
		out.Identifier = "*." + c.Spec.DNSName
	}
	if owner := metav1.GetControllerOf(c); owner != nil {
		out.Order = owner.Name
	}
	if s := c.Spec.Solver.HTTP01; s != nil && s.Ingress != nil && s.Ingress.IngressClassName != nil {
		out.Class = *s.Ingress.IngressClassName
	}
	return out
}

// NewIssuer reads an Issuer or a ClusterIssuer that there is.
func NewIssuer(ref policy.IssuerRef, spec *cmapi.IssuerSpec, status *cmapi.IssuerStatus) Issuer {
	out := Issuer{Ref: ref, Found: true}
	if spec.ACME != nil {
		out.ACME, out.Profile, out.Solvers = true, spec.ACME.Profile, policy.NewSolvers(spec.ACME.Solvers)
	}
	for _, k := range status.Conditions {
		if k.Type == cmapi.IssuerConditionReady {
			c := condition(k.Status, k.Reason, k.Message, k.LastTransitionTime)
			out.Ready, out.Since = c.True, c.Since
			if !out.Ready {
				out.Reason, out.Message = c.Reason, c.Message
			}
		}
	}
	return out
}

// NewIngress reads an Ingress that cert-manager made for a Challenge.
func NewIngress(in *networkingv1.Ingress) Ingress {
	out := Ingress{Name: in.Name, Created: in.CreationTimestamp.Time, Address: len(in.Status.LoadBalancer.Ingress) > 0}
	if owner := metav1.GetControllerOf(in); owner != nil {
		out.Challenge = owner.Name
	}
	return out
}
