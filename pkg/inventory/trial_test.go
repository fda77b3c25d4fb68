package inventory

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// server is an API server of some age; the real ones are tried end to end.
type server func(*corev1.Container) error

func (s server) Create(_ context.Context, pod *corev1.Pod, o metav1.CreateOptions) (*corev1.Pod, error) {
	if len(o.DryRun) == 0 {
		panic("a pod would be created")
	}
	stored := pod.DeepCopy()
	return stored, s(&stored.Spec.InitContainers[0])
}

func TestAnAPIServerIsTried(t *testing.T) {
	t.Parallel()
	invalid := apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "x", nil)
	for sentence, c := range map[string]struct {
		server             server
		sidecars, restarts string
		fails              bool
	}{
		"it knows everything": {func(*corev1.Container) error { return nil }, "", "", false},
		"it drops what it does not know": {func(c *corev1.Container) error {
			c.RestartPolicy, c.RestartPolicyRules = nil, nil
			return nil
		}, "drops restartPolicy", "RestartAllContainersOnContainerExits", false},
		"it drops the rules alone": {func(c *corev1.Container) error { c.RestartPolicyRules = nil; return nil }, "", "RestartAllContainersOnContainerExits", false},
		"it refuses the rules": {func(c *corev1.Container) error {
			if len(c.RestartPolicyRules) > 0 {
				return invalid
			}
			return nil
		}, "", "RestartAllContainersOnContainerExits", false},
		"it refuses sidecars":    {func(*corev1.Container) error { return invalid }, "does not take native sidecars", "RestartAllContainersOnContainerExits", false},
		"it does not let us try": {func(*corev1.Container) error { return apierrors.NewForbidden(schema.GroupResource{}, "x", nil) }, "", "", true},
		"it is not there":        {func(*corev1.Container) error { return errors.New("connection refused") }, "", "", true},
		"it is away in the midst": {func(c *corev1.Container) error {
			return map[bool]error{true: errors.New("timeout")}[len(c.RestartPolicyRules) > 0]
		}, "", "", true},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			f, err := try(t.Context(), c.server)
			if (err != nil) != c.fails {
				t.Fatalf("error %v", err)
			}
			if err != nil {
				return
			}
			for _, pair := range [][2]string{{f.NativeSidecars, c.sidecars}, {f.RestartAllContainers, c.restarts}} {
				if (pair[0] == "") != (pair[1] == "") || !strings.Contains(pair[0], pair[1]) {
					t.Errorf("got %q, want %q", pair[0], pair[1])
				}
			}
		})
	}
}
