package inventory

import (
	"strings"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certwire/certwire/pkg/mutate"
)

// The functions of this file run on every object before it enters a cache. What they get may be a tombstone or, after
// a resync, what they returned before: both pass through.

func stripMeta(object any) (any, error) {
	if m, err := meta.Accessor(object); err == nil {
		m.SetManagedFields(nil)
		m.SetAnnotations(nil)
	}
	return object, nil
}

func stripDeployment(object any) (any, error) {
	d, ok := object.(*appsv1.Deployment)
	if !ok {
		return object, nil
	}
	w := newWorkload("Deployment", d.ObjectMeta, &d.Spec.Template)
	w.Workload.Spec.Paused = d.Spec.Paused
	w.isReloader = isReloader(d)
	return w, nil
}

func stripStatefulSet(object any) (any, error) {
	s, ok := object.(*appsv1.StatefulSet)
	if !ok {
		return object, nil
	}
	w := newWorkload("StatefulSet", s.ObjectMeta, &s.Spec.Template)
	w.Workload.Spec.UpdateStrategy.Type = string(s.Spec.UpdateStrategy.Type)
	return w, nil
}

func stripDaemonSet(object any) (any, error) {
	d, ok := object.(*appsv1.DaemonSet)
	if !ok {
		return object, nil
	}
	w := newWorkload("DaemonSet", d.ObjectMeta, &d.Spec.Template)
	w.Workload.Spec.UpdateStrategy.Type = string(d.Spec.UpdateStrategy.Type)
	return w, nil
}

func newWorkload(kind string, m metav1.ObjectMeta, template *corev1.PodTemplateSpec) *Workload {
	w := &Workload{
		ObjectMeta: metav1.ObjectMeta{Name: m.Name, Namespace: m.Namespace, UID: m.UID, ResourceVersion: m.ResourceVersion},
		Workload:   mutate.Workload{Kind: kind, Metadata: &mutate.Meta{Name: m.Name}},
	}
	if m.DeletionTimestamp != nil {
		w.Workload.Metadata.DeletionTimestamp = m.DeletionTimestamp.UTC().Format("2006-01-02T15:04:05Z")
	}
	w.Workload.Metadata.Labels = only(m.Labels, mutate.ReloadLabel)
	w.Workload.Metadata.Annotations = shortAnnotations(m.Annotations)
	w.Workload.Spec.Template.Metadata.Labels = only(template.Labels, mutate.ReloadLabel)
	w.Workload.Spec.Template.Metadata.Annotations = shortAnnotations(template.Annotations)
	w.Workload.Spec.Template.Spec = secretReferences(&template.Spec)
	w.secrets = w.Workload.Spec.Template.Spec.SecretNames()
	return w
}

// only keeps one label: the rest are the cluster's, and many.
func only(labels map[string]string, key string) map[string]string {
	if v, ok := labels[key]; ok {
		return map[string]string{key: v}
	}
	return nil
}

// shortAnnotations keeps what a plan may read. Reloader's keys can be renamed to anything, so all short annotations
// stay, and the usual long ones go.
func shortAnnotations(annotations map[string]string) map[string]string {
	var kept map[string]string
	for k, v := range annotations {
		ours := strings.HasPrefix(k, "certwire.dev/")
		if !ours && (len(v) > 1024 || strings.HasPrefix(k, "kubectl.kubernetes.io/") || strings.HasPrefix(k, "deployment.kubernetes.io/")) {
			continue
		}
		if kept == nil {
			kept = make(map[string]string, len(annotations))
		}
		kept[k] = v
	}
	return kept
}

// isReloader recognises Reloader's own Deployment, whose image keeps its name wherever it is mirrored to.
func isReloader(d *appsv1.Deployment) bool {
	for _, c := range d.Spec.Template.Spec.Containers {
		if strings.Contains(c.Image, "stakater/reloader") {
			return true
		}
	}
	return false
}

func stripCertificate(object any) (any, error) {
	c, ok := object.(*cmapi.Certificate)
	if !ok {
		return object, nil
	}
	kept := &cmapi.Certificate{
		ObjectMeta: metav1.ObjectMeta{Name: c.Name, Namespace: c.Namespace, UID: c.UID, ResourceVersion: c.ResourceVersion},
		Spec:       cmapi.CertificateSpec{SecretName: c.Spec.SecretName, IssuerRef: c.Spec.IssuerRef, SecretTemplate: c.Spec.SecretTemplate},
		Status:     cmapi.CertificateStatus{NotAfter: c.Status.NotAfter, RenewalTime: c.Status.RenewalTime, Revision: c.Status.Revision},
	}
	return kept, nil
}

func stripIssuer(object any) (any, error) {
	i, ok := object.(*cmapi.Issuer)
	if !ok {
		return object, nil
	}
	return &cmapi.Issuer{
		ObjectMeta: metav1.ObjectMeta{Name: i.Name, Namespace: i.Namespace, UID: i.UID, ResourceVersion: i.ResourceVersion},
		Spec:       serverOnly(i.Spec),
	}, nil
}

func stripClusterIssuer(object any) (any, error) {
	i, ok := object.(*cmapi.ClusterIssuer)
	if !ok {
		return object, nil
	}
	return &cmapi.ClusterIssuer{
		ObjectMeta: metav1.ObjectMeta{Name: i.Name, UID: i.UID, ResourceVersion: i.ResourceVersion},
		Spec:       serverOnly(i.Spec),
	}, nil
}

func serverOnly(spec cmapi.IssuerSpec) cmapi.IssuerSpec {
	if spec.ACME == nil {
		return cmapi.IssuerSpec{}
	}
	return cmapi.IssuerSpec{IssuerConfig: cmapi.IssuerConfig{ACME: &acmeapi.ACMEIssuer{Server: spec.ACME.Server}}}
}
