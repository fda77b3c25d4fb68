package inventory

import (
	"bytes"
	"strings"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certwire/certwire/pkg/mutate"
)

// strip runs on every object before it enters a cache. What it gets may be a tombstone or, after a resync, what it
// returned before: both pass through.
func strip(object any) (any, error) {
	switch o := object.(type) {
	case *appsv1.Deployment:
		w := newWorkload("Deployment", o.ObjectMeta, &o.Spec.Template)
		w.Workload.Spec.Paused = o.Spec.Paused
		w.AtATime = atATimeOf(o)
		w.isReloader = isReloader(o)
		return w, nil
	case *appsv1.StatefulSet:
		w := newWorkload("StatefulSet", o.ObjectMeta, &o.Spec.Template)
		w.AtATime = atATimeOfSet(o)
		w.Workload.Spec.UpdateStrategy.Type = string(o.Spec.UpdateStrategy.Type)
		if r := o.Spec.UpdateStrategy.RollingUpdate; r != nil && r.Partition != nil {
			w.Workload.Spec.UpdateStrategy.RollingUpdate.Partition = int64(*r.Partition)
		}
		return w, nil
	case *appsv1.DaemonSet:
		w := newWorkload("DaemonSet", o.ObjectMeta, &o.Spec.Template)
		w.AtATime = atATimeOfDaemons(o)
		w.Workload.Spec.UpdateStrategy.Type = string(o.Spec.UpdateStrategy.Type)
		return w, nil
	case *corev1.Node:
		return stripNode(o), nil
	case *corev1.LimitRange:
		return stripLimitRange(o), nil
	case *cmapi.Certificate:
		return stripCertificate(o), nil
	case *acmeapi.Order:
		return stripOrder(o), nil
	case *acmeapi.Challenge:
		return stripChallenge(o), nil
	case *cmapi.CertificateRequest:
		return stripRequest(o), nil
	case *cmapi.Issuer:
		return &cmapi.Issuer{ObjectMeta: identity(o.ObjectMeta), Spec: stripIssuer(o.Spec), Status: stripIssuerStatus(o.Status)}, nil
	case *cmapi.ClusterIssuer:
		return &cmapi.ClusterIssuer{ObjectMeta: identity(o.ObjectMeta), Spec: stripIssuer(o.Spec), Status: stripIssuerStatus(o.Status)}, nil
	}
	if m, err := meta.Accessor(object); err == nil {
		m.SetManagedFields(nil)
		m.SetAnnotations(nil)
	}
	return object, nil
}

func identity(m metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: m.Name, Namespace: m.Namespace, UID: m.UID, ResourceVersion: m.ResourceVersion}
}

func stripCertificate(c *cmapi.Certificate) *cmapi.Certificate {
	kept := &cmapi.Certificate{
		ObjectMeta: identity(c.ObjectMeta),
		Spec:       cmapi.CertificateSpec{SecretName: c.Spec.SecretName, IssuerRef: c.Spec.IssuerRef, SecretTemplate: c.Spec.SecretTemplate},
		Status: cmapi.CertificateStatus{
			NotBefore: c.Status.NotBefore, NotAfter: c.Status.NotAfter, RenewalTime: c.Status.RenewalTime, Revision: c.Status.Revision,
		},
	}
	kept.CreationTimestamp = c.CreationTimestamp
	if owner := metav1.GetControllerOf(c); owner != nil {
		kept.OwnerReferences = []metav1.OwnerReference{*owner}
	}
	return kept
}

func newWorkload(kind string, m metav1.ObjectMeta, template *corev1.PodTemplateSpec) *Workload {
	w := &Workload{
		ObjectMeta: identity(m),
		Workload:   mutate.Workload{Kind: kind, Metadata: &mutate.Meta{Name: m.Name}},
	}
	if m.DeletionTimestamp != nil {
		w.Workload.Metadata.DeletionTimestamp = m.DeletionTimestamp.UTC().Format("2006-01-02T15:04:05Z")
	}
	w.Workload.Metadata.Labels = mutate.Labels{Reload: m.Labels[mutate.ReloadLabel]}
	w.Workload.Metadata.Annotations, w.unknown = shortAnnotations(m.Annotations)
	w.applied = appliedAnnotations(m.ManagedFields, w.Workload.Metadata.Annotations)
	w.Workload.Spec.Template.Metadata.Labels = mutate.Labels{Reload: template.Labels[mutate.ReloadLabel]}
	var unknown []string
	w.Workload.Spec.Template.Metadata.Annotations, unknown = shortAnnotations(template.Annotations)
	w.unknown = append(w.unknown, unknown...)
	w.Workload.Spec.Template.Spec = mutate.References(&template.Spec)
	w.secrets = w.Workload.Spec.Template.Spec.SecretNames()
	if len(w.secrets) > 0 && w.Declares() {
		w.Workload.Pod = stripTemplate(&template.Spec)
	}
	return w
}

// shortAnnotations keeps what a plan may read. Reloader's keys can be renamed to anything, so all short annotations
// stay, and long ones with "reload" in their key. The second result names what was left out, but for what tools write
// about themselves.
func shortAnnotations(annotations map[string]string) (kept map[string]string, unknown []string) {
	for k, v := range annotations {
		if strings.HasPrefix(k, "kubectl.kubernetes.io/") || strings.HasPrefix(k, "deployment.kubernetes.io/") {
			continue
		}
		if len(v) > 1024 && !strings.HasPrefix(k, "certwire.dev/") && !strings.Contains(k, "reload") {
			unknown = append(unknown, k)
			continue
		}
		if kept == nil {
			kept = map[string]string{}
		}
		kept[k] = v
	}
	return kept, unknown
}

// appliedAnnotations returns the annotations that somebody owns by server-side apply: changing one of those would make
// their next apply fail with a conflict.
func appliedAnnotations(fields []metav1.ManagedFieldsEntry, annotations map[string]string) []string {
	var applied []string
	for _, f := range fields {
		if f.Operation != metav1.ManagedFieldsOperationApply || f.FieldsV1 == nil {
			continue
		}
		owned := f.FieldsV1.GetRawBytes()
		for k := range annotations {
			if bytes.Contains(owned, []byte(`"f:`+k+`"`)) {
				applied = append(applied, k)
			}
		}
	}
	return applied
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
