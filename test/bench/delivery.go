package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/inventory"
	"github.com/certwire/certwire/test/harness"
	"github.com/certwire/certwire/test/pki"
)

// wire is the part of a run that measures deliveries on one cluster.
type wire struct {
	*bench

	objects   client.WithWatch
	authority *pki.Authority
	issued    int
}

// deliveries measures deliveries: first with pods on a node, and then with simulated endpoints, of which there can be
// more. Each has a cluster of its own.
func (b *bench) deliveries(ctx context.Context) error {
	if os.Geteuid() != 0 || os.Getenv("KUBECONFIG") != "" {
		b.say("Deliveries are left out: they are measured on a cluster of this command's own, by root.")
		return nil
	}
	log.SetLogger(logr.Discard())                                // controller-runtime's clients would complain
	if err := os.Setenv("GOMEMLIMIT", memoryLimit); err != nil { // for the processes that follow
		return fmt.Errorf("limiting memory: %w", err)
	}
	var problems []error // of one part, which keep nobody from the other
	if b.options.deliveryPods > 0 {
		if err := b.renewedPods(ctx); err != nil {
			problems = append(problems, fmt.Errorf("measuring pods: %w", err))
		}
	}
	if b.options.deliveryCertificates > 0 && ctx.Err() == nil {
		if err := b.simulated(ctx); err != nil {
			problems = append(problems, fmt.Errorf("measuring simulated endpoints: %w", err))
		}
	}
	return errors.Join(problems...)
}

// wire starts a cluster with everything that deliveries need but certwire itself. What it returns last ends all of it.
func (b *bench) wire(ctx context.Context, flags ...string) (*wire, func(), error) {
	w := &wire{bench: b, authority: pki.NewAuthority(&stand{folder: b.folder})}
	var err error
	if b.cluster, err = harness.Start(ctx, b.progress, flags...); err != nil {
		return nil, nil, err
	}
	stop := func() {
		if b.certwire != nil {
			b.certwire.Stop()
			b.certwire = nil
		}
		b.cluster.Stop()
	}
	scheme, err := inventory.Scheme()
	if err == nil {
		err = v1alpha1.AddToScheme(scheme)
	}
	if err == nil {
		w.objects, err = client.NewWithWatch(b.cluster.Rest, client.Options{Scheme: scheme})
	}
	if err == nil {
		_, err = b.cluster.Kubectl(ctx, "", "apply", "-k", "manifests/overlays/delivery")
	}
	if err != nil {
		stop()
		return nil, nil, fmt.Errorf("preparing the cluster: %w", err)
	}
	return w, stop, nil
}

// deploy starts a replica with deliveries.
func (w *wire) deploy(ctx context.Context) error {
	var err error
	w.certwire, err = harness.Deploy(ctx, w.cluster, w.log, 1, "--ca-publish-delay=1s", "--shutdown-delay=0s", "--delivery")
	return err
}

// leaf issues a certificate that is newer than the ones before.
func (w *wire) leaf(name string) pki.Pair {
	w.issued++
	start := time.Now().Add(-24*time.Hour + time.Duration(w.issued)*time.Second)
	return w.authority.Leaf(&stand{folder: w.folder}, []string{name}, pki.From(start))
}

// issue has a Certificate issued, as cert-manager's controllers leave it: the request with what was granted, and then the
// Certificate's status. No controller runs.
func (w *wire) issue(ctx context.Context, namespace, name string, revision int, pair pki.Pair) error {
	now := metav1.Now()
	request := &cmapi.CertificateRequest{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: fmt.Sprintf("%s-%d", name, revision),
			Annotations: map[string]string{cmapi.CertificateNameKey: name, cmapi.CertificateRequestRevisionAnnotationKey: fmt.Sprint(revision)},
		},
		Spec: cmapi.CertificateRequestSpec{Request: []byte("none"), IssuerRef: issuerOfNobody},
	}
	if err := w.objects.Create(ctx, request); err != nil {
		return fmt.Errorf("requesting certificate %s/%s: %w", namespace, name, err)
	}
	request.Status = cmapi.CertificateRequestStatus{
		Certificate: pair.CertPEM(),
		Conditions: []cmapi.CertificateRequestCondition{{
			Type: cmapi.CertificateRequestConditionReady, Status: cmmeta.ConditionTrue, Reason: cmapi.CertificateRequestReasonIssued, LastTransitionTime: &now,
		}},
	}
	if err := w.objects.Status().Update(ctx, request); err != nil {
		return fmt.Errorf("granting certificate %s/%s: %w", namespace, name, err)
	}
	// Without the condition, the times and all, the Certificate would count as one that waits to be issued.
	leaf := pair.Chain[0]
	patch, err := json.Marshal(map[string]any{"status": cmapi.CertificateStatus{
		Revision: &revision, NotBefore: new(metav1.NewTime(leaf.NotBefore)), NotAfter: new(metav1.NewTime(leaf.NotAfter)),
		RenewalTime: new(metav1.NewTime(leaf.NotAfter.Add(-leaf.NotAfter.Sub(leaf.NotBefore) / 3))),
		Conditions:  []cmapi.CertificateCondition{{Type: cmapi.CertificateConditionReady, Status: cmmeta.ConditionTrue, Reason: "Ready", LastTransitionTime: &now}},
	}})
	if err != nil {
		return fmt.Errorf("building the status of certificate %s/%s: %w", namespace, name, err)
	}
	certificate := &cmapi.Certificate{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := w.objects.Status().Patch(ctx, certificate, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("issuing certificate %s/%s: %w", namespace, name, err)
	}
	return nil
}

// issuerOfNobody is an issuer that no controller looks after.
var issuerOfNobody = cmmeta.IssuerReference{Name: "none", Kind: "Issuer", Group: "other.example.com"}

func (w *wire) certificateFor(ctx context.Context, namespace, name, secret, host string) error {
	err := w.objects.Create(ctx, &cmapi.Certificate{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       cmapi.CertificateSpec{SecretName: secret, DNSNames: []string{host}, IssuerRef: issuerOfNobody},
	})
	if err != nil {
		return fmt.Errorf("creating Certificate %s/%s: %w", namespace, name, err)
	}
	return nil
}

// namespaceWithAccount makes a namespace that pods can be made in.
func (w *wire) namespaceWithAccount(ctx context.Context, name string) error {
	if err := w.namespace(ctx, name, map[string]string{"certwire.dev/issuance": "off"}); err != nil {
		return err
	}
	return w.until(ctx, "the ServiceAccount of "+name, harness.Patience, func() (bool, error) {
		err := w.objects.Get(ctx, client.ObjectKey{Namespace: name, Name: "default"}, &corev1.ServiceAccount{})
		return err == nil, client.IgnoreNotFound(err)
	})
}

// until waits for something, but not for ever.
func (w *wire) until(ctx context.Context, what string, patience time.Duration, ask func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := poll(ctx, ask); err != nil {
		return fmt.Errorf("waiting for %s: %w", what, err)
	}
	return nil
}
