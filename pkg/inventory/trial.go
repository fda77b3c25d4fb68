package inventory

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certwire/certwire/pkg/mutate"
)

// Trial creates Pods as a dry run. client-go's typed client for the Pods of one namespace is one.
type Trial interface {
	Create(ctx context.Context, pod *corev1.Pod, opts metav1.CreateOptions) (*corev1.Pod, error)
}

// trialTimeout bounds one dry run.
const trialTimeout = 10 * time.Second

// try asks the API server what it makes of a Pod as the agent would be in. Its version alone does not tell: with a feature
// gate switched off it refuses such a Pod (RestartAllContainersOnContainerExits, tried on 1.37), or drops the field without
// which the agent would be an init container that never ends (SidecarContainers). The error is of asking, not of the answer.
func try(ctx context.Context, trial Trial) (mutate.Features, error) {
	var f mutate.Features
	plain, why, err := tryPod(ctx, trial, nil)
	switch {
	case err != nil:
		return f, err
	case why != "":
		f.NativeSidecars = "the API server does not take native sidecars: " + why
	case plain.RestartPolicy == nil:
		f.NativeSidecars = "the API server drops restartPolicy of init containers (feature gate SidecarContainers)"
	}
	const what = "the API server does not restart all containers (feature gate RestartAllContainersOnContainerExits)"
	ruled, why, err := tryPod(ctx, trial, []corev1.ContainerRestartRule{{
		Action:    corev1.ContainerRestartRuleActionRestartAllContainers,
		ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{1}},
	}})
	switch {
	case err != nil:
		return f, err
	case why != "", len(ruled.RestartPolicyRules) == 0:
		f.RestartAllContainers = what
	}
	return f, nil
}

// tryPod returns the sidecar as the API server would store it, or why it would not.
func tryPod(ctx context.Context, trial Trial, rules []corev1.ContainerRestartRule) (*corev1.Container, string, error) {
	ctx, cancel := context.WithTimeout(ctx, trialTimeout)
	defer cancel()
	container := func(name string) corev1.Container {
		return corev1.Container{
			Name: name, Image: "certwire.dev/trial",
			Resources: corev1.ResourceRequirements{}, // whatever the namespace gives
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true), RunAsNonRoot: new(true),
				Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
		}
	}
	sidecar := container("sidecar")
	sidecar.RestartPolicy, sidecar.RestartPolicyRules = new(corev1.ContainerRestartPolicyAlways), rules
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "certwire-trial-"},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: new(false),
			InitContainers:               []corev1.Container{sidecar}, Containers: []corev1.Container{container("app")},
		},
	}
	stored, err := trial.Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	switch {
	case apierrors.IsInvalid(err):
		return nil, err.Error(), nil
	case err != nil:
		return nil, "", fmt.Errorf("creating a pod as a dry run: %w", err)
	}
	for i := range stored.Spec.InitContainers {
		if c := &stored.Spec.InitContainers[i]; c.Name == sidecar.Name {
			return c, "", nil
		}
	}
	return nil, "the container is not there afterwards", nil
}
