package walk

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	apiutil "github.com/cert-manager/cert-manager/pkg/api/util"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/chain"
	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/cluster"
	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/issuance"
	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/diagnose"
	"github.com/certwire/certwire/pkg/mirror"
	"github.com/certwire/certwire/pkg/probe"
)

// Options say how to look.
type Options struct {
	// System is certwire's own namespace.
	System string
	// Reach opens pods to look at them; nil leaves what they serve to what certwire has written down.
	Reach Reach
	// Public looks at a public name; nil looks at none.
	Public func(ctx context.Context, host string) probe.Result
	// Progress is told how much is done of how much. It may be called concurrently, and may be nil.
	Progress func(done, of int)
	Now      time.Time
}

// look carries one walk.
type look struct {
	cluster *cluster.Cluster
	options Options

	facts       chain.Facts
	certificate cmapi.Certificate
	requests    []cmapi.CertificateRequest
	delivery    *v1alpha1.CertificateDelivery
	// want is the leaf that should be served; its Fingerprint is empty when nobody knows.
	want     probe.Leaf
	previous []probe.Fingerprint
	// secret is what is kept of the Certificate's; nil when it could not be read.
	secret *mirror.Secret
}

// Look gathers the facts of a Certificate in the cluster's chosen namespace. It is an error when there is no such Certificate
// to be read; what else cannot be read is noted.
func Look(ctx context.Context, c *cluster.Cluster, name string, o Options) (chain.Facts, error) {
	l := &look{cluster: c, options: o, facts: chain.Facts{Now: o.Now, Namespace: c.Namespace}}
	if err := c.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: name}, &l.certificate); err != nil {
		return l.facts, fmt.Errorf("reading Certificate %s/%s: %w", c.Namespace, name, err)
	}
	l.lookAtDelivery(ctx)
	l.lookAtCertificate(ctx)
	l.lookAtSecret(ctx)
	l.lookAtMirrors(ctx)
	l.lookAtWire(ctx)
	return l.facts, nil
}

func (l *look) unseen(what string, err error, instead string) {
	if err != nil {
		l.facts.Unseen = append(l.facts.Unseen, fmt.Sprintf("%s (%s): %s", what, cluster.Why(err), instead))
	}
}

// lookAtDelivery reads what certwire has written down. Where certwire or its deliveries are not installed there is none.
func (l *look) lookAtDelivery(ctx context.Context) {
	var d v1alpha1.CertificateDelivery
	err := l.cluster.Get(ctx, client.ObjectKeyFromObject(&l.certificate), &d)
	switch {
	case err == nil:
		l.delivery = &d
		for _, f := range d.Status.Previous {
			l.previous = append(l.previous, probe.Fingerprint(f))
		}
	case apierrors.IsForbidden(err):
		l.unseen("the CertificateDelivery", err, "what certwire has seen of the wire is not known here")
	}
}

// lookAtCertificate reads what was issued: from the CertificateRequest of the revision, or else from what certwire has kept
// of it.
func (l *look) lookAtCertificate(ctx context.Context) {
	c := &l.certificate
	out := &l.facts.Certificate
	out.Name, out.Issuer = c.Name, cmp.Or(c.Spec.IssuerRef.Kind, cmapi.IssuerKind)+" "+c.Spec.IssuerRef.Name
	if c.Status.Revision != nil {
		out.Revision = int64(*c.Status.Revision)
	}
	if c.Status.RenewalTime != nil {
		out.Renewal = c.Status.RenewalTime.Time
	}
	if ready := apiutil.GetCertificateCondition(c, cmapi.CertificateConditionReady); ready != nil {
		out.Ready = string(ready.Status)
		out.Message = ready.Message
	}
	if issuing := apiutil.GetCertificateCondition(c, cmapi.CertificateConditionIssuing); issuing != nil && issuing.Message != "" {
		out.Message = issuing.Message
	}
	var requests cmapi.CertificateRequestList
	err := l.cluster.List(ctx, &requests, client.InNamespace(c.Namespace))
	l.unseen("the CertificateRequests of Namespace "+c.Namespace, err, "what was issued is taken from elsewhere")
	l.requests = requests.Items
	if found, leaf := issuedBy(l.requests, c, out.Revision); found != nil {
		l.want, out.From, out.Issued = leaf, "CertificateRequest "+found.Name, issuedAt(found)
	} else if d := l.delivery; d != nil && d.Status.Leaf != nil && d.Status.Revision == out.Revision {
		l.want, out.From = leafOf(d.Status.Leaf), "CertificateDelivery "+d.Name
		if d.Status.Issued != nil {
			out.Issued = d.Status.Issued.Time
		}
	}
	l.previous = append(l.previous, before(l.requests, c, l.want.Fingerprint)...)
	out.Leaf = short(l.want)
	l.diagnose(ctx)
}

// diagnose says what is in the way of the next certificate, where one is due: by certwire's own diagnosis, made here, or else
// as certwire has written it down.
func (l *look) diagnose(ctx context.Context) {
	c, out := &l.certificate, &l.facts.Certificate
	issuing := apiutil.GetCertificateCondition(c, cmapi.CertificateConditionIssuing)
	due := out.Ready != string(cmmeta.ConditionTrue) || issuing != nil && issuing.Status == cmmeta.ConditionTrue || c.Status.LastFailureTime != nil ||
		!out.Renewal.IsZero() && l.options.Now.After(out.Renewal)
	if !due {
		return
	}
	seen, err := issuance.Look(ctx, l.cluster, c.Namespace, c.Name)
	if err == nil {
		if found, _ := diagnose.Diagnose(seen.Facts(l.options.Now)); found.Cause != "" {
			out.Stuck = &chain.Stuck{Cause: string(found.Cause), Message: found.Message, Until: found.Until}
			return
		}
	}
	if d := l.delivery; d != nil && d.Status.Issuance != nil && len(seen.Unseen) > 0 { // certwire may see more
		out.Stuck = &chain.Stuck{Cause: d.Status.Issuance.Cause, Message: d.Status.Issuance.Message}
		if d.Status.Issuance.Until != nil {
			out.Stuck.Until = d.Status.Issuance.Until.Time
		}
	}
}

// lookAtSecret reads the leaf of the Certificate's Secret.
func (l *look) lookAtSecret(ctx context.Context) {
	out := &l.facts.Secret
	out.Name = l.certificate.Spec.SecretName
	var secret corev1.Secret
	err := l.cluster.Get(ctx, client.ObjectKey{Namespace: l.certificate.Namespace, Name: out.Name}, &secret)
	switch {
	case apierrors.IsNotFound(err):
		out.Missing = true
		return
	case err != nil:
		out.Unseen = cluster.Why(err)
		return
	}
	l.secret = mirror.Lean(&secret)
	leaf, err := leafIn(secret.Data[corev1.TLSCertKey])
	if err != nil {
		out.Broken = err.Error()
		return
	}
	out.Leaf = short(leaf)
	if l.want.Fingerprint == "" { // what was written stands for what was issued
		l.want = leaf
	}
}

// wire says in a sentence where it is known from what is served.
func (l *look) wire() string {
	switch d := l.delivery; {
	case l.options.Reach != nil:
		return "this command looked at the pods itself"
	case d == nil:
		return "unknown: no CertificateDelivery is here to say (docs/delivery.md); with --dial this command looks itself"
	case !l.current():
		return fmt.Sprintf("unknown: CertificateDelivery %s/%s is not of this revision yet; with --dial this command looks itself", d.Namespace, d.Name)
	default:
		state := cmp.Or(string(d.Status.State), "Pending")
		if d.Status.Cause != "" {
			state += ", " + d.Status.Cause
		}
		return strings.TrimSpace(fmt.Sprintf("as certwire saw it from inside the cluster (CertificateDelivery %s/%s is %s)", d.Namespace, d.Name, state))
	}
}

// current reports that the delivery is about the certificate that should be served.
func (l *look) current() bool {
	return l.delivery != nil && l.delivery.Status.Leaf != nil && l.delivery.Status.Leaf.Fingerprint == string(l.want.Fingerprint)
}
