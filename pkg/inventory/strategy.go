package inventory

import (
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/certwire/certwire/pkg/mutate"
)

// EscalateKey on a workload or its pod template says what certwire may do with pods that go on serving an old certificate:
// "rollout" is to make new ones.
const EscalateKey = "certwire.dev/escalate"

// Escalates reports whether the owner allows a rollout for a certificate that was not taken up. The pod template, the more
// specific, wins.
func (w *Workload) Escalates() bool {
	for _, m := range []*mutate.Meta{&w.Workload.Spec.Template.Metadata, w.Workload.Metadata} {
		if value, said := m.Annotations[EscalateKey]; said {
			return value == "rollout"
		}
	}
	return false
}

// RollsOut reports whether a changed pod template leads to new pods of all replicas by itself, and why not.
func (w *Workload) RollsOut() (yes bool, why string) {
	s := &w.Workload.Spec
	switch {
	case s.Paused:
		return false, "it is paused"
	case s.UpdateStrategy.Type == string(appsv1.OnDeleteStatefulSetStrategyType): // DaemonSets spell it the same
		return false, "its update strategy is OnDelete"
	case s.UpdateStrategy.RollingUpdate.Partition > 0:
		return false, "its update strategy has a partition"
	case w.Workload.Metadata.DeletionTimestamp != "":
		return false, "it is being deleted"
	}
	return true, ""
}

// atATimeOf is how many pods of a Deployment may be away together: all of them, where the strategy is Recreate. Percentages
// are rounded as the controllers do (kubernetes pkg/controller/deployment/util, pkg/controller/statefulset,
// pkg/controller/daemon/util). It is never less than 1: a restart in place cannot do with less, and was chosen by the owner.
func atATimeOf(d *appsv1.Deployment) int32 {
	replicas := int32(1)
	if d.Spec.Replicas != nil {
		replicas = *d.Spec.Replicas
	}
	if d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		return max(replicas, 1)
	}
	if r := d.Spec.Strategy.RollingUpdate; r != nil {
		return scaled(r.MaxUnavailable, replicas, false)
	}
	return scaled(new(intstr.FromString("25%")), replicas, false) // the API server's default
}

func atATimeOfSet(s *appsv1.StatefulSet) int32 {
	replicas := int32(1)
	if s.Spec.Replicas != nil {
		replicas = *s.Spec.Replicas
	}
	if r := s.Spec.UpdateStrategy.RollingUpdate; r != nil {
		return scaled(r.MaxUnavailable, replicas, true)
	}
	return 1
}

func atATimeOfDaemons(d *appsv1.DaemonSet) int32 {
	if r := d.Spec.UpdateStrategy.RollingUpdate; r != nil {
		return scaled(r.MaxUnavailable, d.Status.DesiredNumberScheduled, true)
	}
	return 1
}

func scaled(value *intstr.IntOrString, of int32, up bool) int32 {
	if value == nil {
		return 1
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(value, int(of), up)
	if err != nil {
		return 1 // the API server refuses such a value
	}
	return int32(min(max(n, 1), 1<<20))
}
