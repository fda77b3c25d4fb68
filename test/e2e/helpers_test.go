package e2e

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	reloadKey = "secret.reloader.stakater.com/reload"
	statusKey = "certwire.dev/status"
)

var (
	counter    atomic.Int64
	notInNames = regexp.MustCompile("[^A-Za-z0-9]+")
)

// namespace makes a namespace with these labels ("key=value") and removes it afterwards.
func namespace(t *testing.T, labels ...string) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:   fmt.Sprintf("t%d-%s", counter.Add(1), strings.ToLower(notInNames.ReplaceAllString(t.Name(), "-"))),
		Labels: map[string]string{},
	}}
	if len(ns.Name) > 50 {
		ns.Name = strings.TrimRight(ns.Name[:50], "-")
	}
	for _, l := range labels {
		k, v, _ := strings.Cut(l, "=")
		ns.Labels[k] = v
	}
	if _, err := cluster.Client.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Client.CoreV1().Namespaces().Delete(context.Background(), ns.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return ns.Name
}

// kubectl runs it and fails the test when it does.
func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := cluster.Kubectl(t.Context(), "", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// apply applies YAML and returns what kubectl says, warnings and refusals included.
func apply(t *testing.T, namespace, text string, flags ...string) (string, error) {
	t.Helper()
	args := append([]string{"apply", "-f", "-"}, flags...)
	if namespace != "" {
		args = append(args, "-n", namespace)
	}
	return cluster.Kubectl(t.Context(), text, args...)
}

func mustApply(t *testing.T, namespace, text string, flags ...string) string {
	t.Helper()
	out, err := apply(t, namespace, text, flags...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// refused applies YAML that must be refused, and returns the text.
func refused(t *testing.T, namespace, text string, flags ...string) string {
	t.Helper()
	out, err := apply(t, namespace, text, flags...)
	if err == nil {
		t.Fatalf("not refused: %s", out)
	}
	return out
}

// eventually waits for a condition; the limit only says when to stop hoping.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(3 * time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("never: %s", what)
		case <-t.Context().Done():
			t.Fatalf("ended while waiting: %s", what)
		case <-tick.C:
		}
	}
}

func contains(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("not there: %s\nin: %s", want, text)
		}
	}
}

func containsNot(t *testing.T, text string, unwanted ...string) {
	t.Helper()
	for _, s := range unwanted {
		if strings.Contains(text, s) {
			t.Errorf("there: %s\nin: %s", s, text)
		}
	}
}

// deployment is a Deployment without pods that mounts these Secrets.
func deployment(name string, secrets ...string) *appsv1.Deployment {
	none := int32(0)
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &none,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": name}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "registry.example/web:1"}}},
			},
		},
	}
	for _, s := range secrets {
		d.Spec.Template.Spec.Volumes = append(d.Spec.Template.Spec.Volumes, corev1.Volume{
			Name: s[:min(len(s), 63)], VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: s}},
		})
	}
	return d
}

func create(t *testing.T, namespace string, d *appsv1.Deployment) *appsv1.Deployment {
	t.Helper()
	out, err := cluster.Client.AppsV1().Deployments(namespace).Create(t.Context(), d, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func get(t *testing.T, namespace, name string) *appsv1.Deployment {
	t.Helper()
	out, err := cluster.Client.AppsV1().Deployments(namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// deploymentText is a Deployment without pods that mounts web-tls, with these annotations as YAML ("{}" for none).
func deploymentText(name, annotations string) string {
	return `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ` + name + `, annotations: ` + annotations + `}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: registry.example/web:1}]
      volumes: [{name: tls, secret: {secretName: web-tls}}]
`
}

// certificate is a Certificate with a self-signed issuer, which the guard has nothing to say about.
func certificate(name, secret string) string {
	return fmt.Sprintf(`
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: %s}
spec:
  secretName: %s
  dnsNames: [%s.example.com]
  issuerRef: {name: selfsigned, kind: Issuer, group: other.example.com}
`, name, secret, name)
}

// known waits until both replicas know that a Secret is a certificate's: their caches are behind by milliseconds.
func known(t *testing.T, namespace, secret string) {
	t.Helper()
	streak := 0
	eventually(t, "the replicas know Secret "+secret, func() bool {
		d := deployment("probe", secret)
		out, err := cluster.Client.AppsV1().Deployments(namespace).Create(t.Context(), d, metav1.CreateOptions{DryRun: []string{"All"}})
		if err != nil {
			t.Fatal(err)
		}
		if out.Annotations[reloadKey] == "" {
			streak = 0
			return false
		}
		streak++
		return streak > 3
	})
}

// keepConfiguration brings the configuration back when the test ends, before any other begins.
func keepConfiguration(t *testing.T) {
	t.Helper()
	restore, err := certwire.Keep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := restore(); err != nil {
			t.Error(err)
		}
	})
}
