package inventory

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestHowManyMayBeAway(t *testing.T) {
	t.Parallel()
	deployment := func(replicas int32, strategy appsv1.DeploymentStrategy) int32 {
		return atATimeOf(&appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: &replicas, Strategy: strategy}})
	}
	rolling := func(value string) appsv1.DeploymentStrategy {
		return appsv1.DeploymentStrategy{RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: new(intstr.Parse(value))}}
	}
	for sentence, c := range map[string]struct{ got, want int32 }{
		"the default of three is less than one, so one":      {deployment(3, rolling("25%")), 1},
		"the default of eight is two":                        {deployment(8, rolling("25%")), 2},
		"a Deployment's percentage is rounded down":          {deployment(7, rolling("50%")), 3},
		"none would be none for ever":                        {deployment(3, rolling("0")), 1},
		"a number":                                           {deployment(9, rolling("4")), 4},
		"no strategy is the API server's default":            {deployment(8, appsv1.DeploymentStrategy{}), 2},
		"Recreate has all of them away":                      {deployment(5, appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}), 5},
		"nonsense":                                           {deployment(5, rolling("many")), 1},
		"a StatefulSet goes one by one":                      {atATimeOfSet(&appsv1.StatefulSet{}), 1},
		"unless it says otherwise, and that is rounded up":   {atATimeOfSet(statefulSet(5, "50%")), 3},
		"a DaemonSet goes one by one":                        {atATimeOfDaemons(&appsv1.DaemonSet{}), 1},
		"a DaemonSet's percentage is of the nodes it is for": {atATimeOfDaemons(daemonSet(11, "10%")), 2},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if c.got != c.want {
				t.Errorf("%d, want %d", c.got, c.want)
			}
		})
	}
}

func statefulSet(replicas int32, away string) *appsv1.StatefulSet {
	return &appsv1.StatefulSet{Spec: appsv1.StatefulSetSpec{Replicas: &replicas, UpdateStrategy: appsv1.StatefulSetUpdateStrategy{
		RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{MaxUnavailable: new(intstr.Parse(away))},
	}}}
}

func daemonSet(nodes int32, away string) *appsv1.DaemonSet {
	return &appsv1.DaemonSet{
		Spec: appsv1.DaemonSetSpec{UpdateStrategy: appsv1.DaemonSetUpdateStrategy{
			RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxUnavailable: new(intstr.Parse(away))},
		}},
		Status: appsv1.DaemonSetStatus{DesiredNumberScheduled: nodes},
	}
}
