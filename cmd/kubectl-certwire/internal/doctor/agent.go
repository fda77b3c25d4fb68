package doctor

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/cluster"
)

// agent says whether the cluster can run the agent: by the versions, and by what the API server makes of a Pod like that,
// which shows whether a feature gate is switched off.
func (d *doctor) agent(ctx context.Context) {
	const check = "agent"
	if a := d.settings.Agent; !a.Enabled || a.Image == "" {
		d.warn(check, "", "it is switched off in certwire's configuration, or has no image there: Reloader is used instead")
		return
	}
	versions, err := d.cluster.Versions(ctx)
	if err != nil {
		d.warn("nodes", "", "could not look at their versions: %s", cluster.Why(err))
	}
	features := versions.Features()
	tried := "a Pod with it is taken (a dry run)"
	switch sidecar, restarts, err := d.tryPod(ctx); {
	case err != nil:
		tried = "whether a feature gate is switched off could not be tried: " + cluster.Why(err)
	default:
		if !sidecar && features.NativeSidecars == "" {
			features.NativeSidecars = "the API server does not take native sidecars (feature gate SidecarContainers)"
		}
		if !restarts && features.RestartAllContainers == "" {
			features.RestartAllContainers = "the API server does not restart all containers (feature gate RestartAllContainersOnContainerExits)"
		}
	}
	features = d.settings.Features(features)
	switch {
	case features.NativeSidecars != "":
		d.warn(check, "", "no pod gets it: %s; Reloader is used instead", features.NativeSidecars)
	case features.RestartAllContainers != "":
		d.warn(check, "", "it works (%s), but for method restart: %s", tried, features.RestartAllContainers)
	default:
		d.ok(check, "API server and %d nodes can run it with every method; %s", len(versions.Nodes), tried)
	}
}

// tryPod creates a Pod as the agent would be in, as a dry run, with and without a rule that restarts all containers.
func (d *doctor) tryPod(ctx context.Context) (sidecar, restarts bool, err error) {
	for _, rules := range [][]corev1.ContainerRestartRule{nil, {{
		Action:    corev1.ContainerRestartRuleActionRestartAllContainers,
		ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{1}},
	}}} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: d.system, GenerateName: trialName + "-"}, Spec: trialPod("")}
		c := trialContainer("sidecar")
		c.RestartPolicy, c.RestartPolicyRules = new(corev1.ContainerRestartPolicyAlways), rules
		pod.Spec.InitContainers = []corev1.Container{c}
		err := d.cluster.Create(ctx, pod, client.DryRunAll)
		if err != nil && !apierrors.IsInvalid(err) {
			return sidecar, restarts, err
		}
		at := slices.IndexFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == "sidecar" })
		taken := err == nil && at >= 0 && pod.Spec.InitContainers[at].RestartPolicy != nil
		if rules == nil {
			sidecar = taken
		} else {
			restarts = taken && len(pod.Spec.InitContainers[at].RestartPolicyRules) > 0
		}
	}
	return sidecar, restarts, nil
}
