package admission

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	apiutil "github.com/cert-manager/cert-manager/pkg/api/util"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"github.com/cert-manager/cert-manager/pkg/util/pki"
	"github.com/go-json-experiment/json/jsontext"
	corev1 "k8s.io/api/core/v1"

	"github.com/certwire/certwire/pkg/policy"
)

// Secrets reads a Secret, for those who gave certwire the permission. Nil without an error means that there is none.
type Secrets interface {
	Secret(ctx context.Context, namespace, name string) (*corev1.Secret, error)
}

// Requests reads a CertificateRequest. Nil without an error means that there is none.
type Requests interface {
	Request(ctx context.Context, namespace, name string) (*cmapi.CertificateRequest, error)
}

// youngNamespace is how new a namespace is in which no Secret can be waiting from before.
const youngNamespace = 10 * time.Minute

// wouldOrder says whether applying a Certificate leads to an order: cert-manager's own chain of triggers
// (internal/controller/certificates/policies, NewTriggerPolicyChain), asked of what can be seen. A question to the API
// server is asked only where the answer can change the outcome, and what cannot be answered is uncertain: then the Order
// decides.
func (h *Guard) wouldOrder(ctx context.Context, r *request[jsontext.Value], facts *policy.Request) policy.Likelihood {
	var updated cmapi.Certificate
	if err := json.Unmarshal(r.Object, &updated); err != nil {
		return policy.OrderUncertain
	}
	if r.Operation != "UPDATE" {
		return h.created(ctx, facts, &updated)
	}
	old, err := policy.Parse(policy.Certificate, r.OldObject)
	if err != nil {
		return policy.OrderUncertain
	}
	change := policy.ChangeOf(old, facts.Object)
	switch {
	case change.Secret:
		return h.created(ctx, facts, &updated)
	case change.Request:
		if !facts.Budget.Allowed && !change.Key && h.asBefore(ctx, &updated) {
			return policy.OrderNone
		}
		return policy.OrderCertain
	case change.Renewal:
		return renewsNow(&updated, h.Now())
	default:
		return policy.OrderNone
	}
}

// created answers for a Certificate whose Secret may or may not be there.
func (h *Guard) created(ctx context.Context, facts *policy.Request, c *cmapi.Certificate) policy.Likelihood {
	if h.Secrets != nil {
		return h.bySecret(ctx, facts.Namespace, c)
	}
	now := h.Now()
	last := h.Issuance.Creations(facts.Namespace, c.Spec.SecretName, now)
	if n := len(last); n > 0 {
		switch {
		case !last[n-1]:
			return policy.OrderNone
		case n > 1 && last[n-2]:
			return policy.OrderCertain
		}
		return policy.OrderUncertain
	}
	if born := h.Issuance.NamespaceCreated(facts.Namespace); !born.IsZero() && now.Sub(born) < youngNamespace {
		return policy.OrderCertain
	}
	return policy.OrderUncertain
}

// bySecret reads the Secret.
func (h *Guard) bySecret(ctx context.Context, namespace string, c *cmapi.Certificate) policy.Likelihood {
	ctx, cancel := lookupContext(ctx)
	defer cancel()
	secret, err := h.Secrets.Secret(ctx, namespace, c.Spec.SecretName)
	switch {
	case err != nil:
		h.Recorder.Failure(h.Name(), StageLookup)
		return policy.OrderUncertain
	case secret == nil:
		return policy.OrderCertain
	}
	if satisfies(secret, c, h.Now()) != nil {
		return policy.OrderCertain
	}
	return policy.OrderNone
}

// satisfies says why cert-manager would issue for a Certificate that has this Secret and no request yet; nil when it would
// not. The checks are those of its trigger chain, in their order.
func satisfies(secret *corev1.Secret, c *cmapi.Certificate, now time.Time) error {
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return fmt.Errorf("reading the key pair: %w", err)
	}
	a := secret.Annotations
	have := policy.NewIssuerRef(a[cmapi.IssuerNameAnnotationKey], a[cmapi.IssuerKindAnnotationKey], a[cmapi.IssuerGroupAnnotationKey])
	want := policy.NewIssuerRef(c.Spec.IssuerRef.Name, c.Spec.IssuerRef.Kind, c.Spec.IssuerRef.Group)
	_, named := a[cmapi.IssuerNameAnnotationKey]
	switch name, ok := a[cmapi.CertificateNameKey]; {
	case named && have.Name != want.Name, have.Kind != want.Kind, have.Group != want.Group:
		return errors.New("it is of another issuer")
	case ok && name != c.Name:
		return errors.New("it is of another Certificate")
	case len(pki.PrivateKeyMatchesSpec(pair.PrivateKey, c.Spec)) > 0:
		return errors.New("its key is of another kind")
	case len(pki.FuzzyX509AltNamesMatchSpec(pair.Leaf, c.Spec)) > 0: //nolint:staticcheck // it is what cert-manager's own trigger asks where it has no request to compare with
		return errors.New("it has other names")
	}
	at, err := pki.RenewalTime(pair.Leaf.NotBefore, pair.Leaf.NotAfter, c.Spec.RenewBefore, c.Spec.RenewBeforePercentage, c.Spec.Renewal)
	if err == nil && at != nil && !now.Before(at.Time) {
		return errors.New("it is due for renewal")
	}
	return nil
}

// asBefore is true for a change back to what was issued last: the latest complete request still fits.
func (h *Guard) asBefore(ctx context.Context, c *cmapi.Certificate) bool {
	if h.Requests == nil || c.Status.Revision == nil ||
		apiutil.CertificateHasCondition(c, cmapi.CertificateCondition{Type: cmapi.CertificateConditionIssuing, Status: cmmeta.ConditionTrue}) {
		return false
	}
	ctx, cancel := lookupContext(ctx)
	defer cancel()
	last, err := h.Requests.Request(ctx, c.Namespace, apiRequestName(c))
	if err != nil {
		h.Recorder.Failure(h.Name(), StageLookup)
		return false
	}
	if last == nil {
		return false
	}
	violations, err := pki.RequestMatchesSpec(last, c.Spec)
	return err == nil && len(violations) == 0
}

// apiRequestName is the name that cert-manager gives to a Certificate's latest request (requestmanager_controller.go, with
// the feature StableCertificateRequestName, which is on by default).
func apiRequestName(c *cmapi.Certificate) string {
	return fmt.Sprintf("%s-%d", c.Name, *c.Status.Revision)
}

// renewsNow answers for a Certificate whose renewal alone is changed.
func renewsNow(c *cmapi.Certificate, now time.Time) policy.Likelihood {
	if c.Status.NotBefore == nil || c.Status.NotAfter == nil {
		return policy.OrderNone // nothing is issued yet: what is under way goes on as it is
	}
	at, err := pki.RenewalTime(c.Status.NotBefore.Time, c.Status.NotAfter.Time, c.Spec.RenewBefore, c.Spec.RenewBeforePercentage, c.Spec.Renewal)
	switch {
	case err != nil || at == nil:
		return policy.OrderUncertain
	case now.Before(at.Time):
		return policy.OrderNone
	default:
		return policy.OrderCertain
	}
}
