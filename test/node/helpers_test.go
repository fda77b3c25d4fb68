package node

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/certwire/certwire/test/harness"
)

const (
	// pollEvery is the time between two looks at what is waited for.
	pollEvery = 20 * time.Millisecond
	// patience ends a wait that cannot succeed any more; a busy machine stays far below it.
	patience = 4 * time.Minute

	file = "/etc/app/value"
	port = "8080"
)

// namespace makes one in which every pod has to be restricted.
func namespace(t *testing.T, c *harness.Cluster) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "node-", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	made, err := c.Client.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the namespace's ServiceAccount", func(ctx context.Context) error {
		_, err := c.Client.CoreV1().ServiceAccounts(made.Name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	return made.Name
}

// secret makes the Secret "app" with one value.
func secret(t *testing.T, c *harness.Cluster, ns, value string) *corev1.Secret {
	t.Helper()
	made, err := c.Client.CoreV1().Secrets(ns).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "app"}, StringData: map[string]string{"value": value},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// pod is a restricted one that serves the Secret "app".
func pod() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "app"},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: new(false),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot:   new(true),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{container("app", "serve")},
			Volumes: []corev1.Volume{{Name: "app", VolumeSource: corev1.VolumeSource{
				Secret: &corev1.SecretVolumeSource{SecretName: "app"},
			}}},
		},
	}
}

// container is one of a pod; command is the app's.
func container(name, command string) corev1.Container {
	return corev1.Container{
		Name: name, Image: appImage, ImagePullPolicy: corev1.PullNever, Args: []string{command, file},
		Env: []corev1.EnvVar{{Name: "VALUE", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: "app"}, Key: "value",
		}}}},
		VolumeMounts: []corev1.VolumeMount{{Name: "app", MountPath: "/etc/app", ReadOnly: true}},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false),
			ReadOnlyRootFilesystem:   new(true),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
}

// start creates p and returns it as it is once all its containers are ready.
func start(t *testing.T, c *harness.Cluster, ns string, p *corev1.Pod) *corev1.Pod {
	t.Helper()
	if _, err := c.Client.CoreV1().Pods(ns).Create(t.Context(), p, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	var ready *corev1.Pod
	eventually(t, "the pod", func(ctx context.Context) error {
		now, err := c.Client.CoreV1().Pods(ns).Get(ctx, p.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range now.Status.Conditions {
			if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
				ready = now
				return nil
			}
		}
		return fmt.Errorf("it is not ready: %+v", now.Status.ContainerStatuses)
	})
	return ready
}

// replace gives the Secret another value and annotates the pod, so that the kubelet looks at once.
func replace(t *testing.T, c *harness.Cluster, s *corev1.Secret, p *corev1.Pod, value string) {
	t.Helper()
	changed := s.DeepCopy()
	changed.ResourceVersion = "" // whatever it is now
	changed.Data = map[string][]byte{"value": []byte(value)}
	if _, err := c.Client.CoreV1().Secrets(s.Namespace).Update(t.Context(), changed, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"certwire.dev/deliver":%q}}}`, value)
	if _, err := c.Client.CoreV1().Pods(p.Namespace).Patch(t.Context(), p.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// served waits until the pod answers path with want.
func served(t *testing.T, p *corev1.Pod, path, want string) {
	t.Helper()
	url := "http://" + net.JoinHostPort(p.Status.PodIP, port) + path
	eventually(t, url, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err == nil && string(body) != want {
			err = fmt.Errorf("it answers %q, want %q", body, want)
		}
		return err
	})
}

// eventually waits until condition returns nil.
func eventually(t *testing.T, what string, condition func(context.Context) error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), pollEvery, patience, true, func(ctx context.Context) (bool, error) {
		last = condition(ctx)
		return last == nil, nil
	})
	if err != nil {
		t.Fatalf("waiting for %s: %v: %v", what, err, last)
	}
}
