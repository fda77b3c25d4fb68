package agent

import (
	"context"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certwire/certwire/test/pods"
)

func TestEachPodOfADeploymentTakesItUp(t *testing.T) {
	t.Parallel()
	s := pods.Nginx(map[string]string{"certwire.dev/preset": "nginx"})
	r := prepare(t, s, "restricted")
	const replicas = 2
	labels := map[string]string{"app": "web"}
	template := s.Pod()
	made, err := cluster.Client.AppsV1().Deployments(r.namespace).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(replicas)), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: template.Annotations}, Spec: template.Spec},
		},
	}, metav1.CreateOptions{})
	r.must(err)
	if value, is := made.Annotations["secret.reloader.stakater.com/reload"]; is {
		t.Errorf("Reloader is asked to replace the pods, too: %q", value)
	}
	var names []string
	r.eventually(pollAPIEvery, "the Deployment's pods", func(ctx context.Context) error {
		pods, err := cluster.Client.CoreV1().Pods(r.namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=web"})
		if err != nil {
			return err
		}
		names = nil
		for i := range pods.Items {
			if hasAgent(&pods.Items[i]) {
				names = append(names, pods.Items[i].Name)
			}
		}
		if len(names) != replicas {
			return fmt.Errorf("%d of %d pods have the agent", len(names), len(pods.Items))
		}
		return nil
	})
	pods := make([]*rig, replicas)
	for i, name := range names {
		one := *r
		one.await(name)
		one.settle()
		pods[i] = &one
	}
	next := r.leaf()
	r.write(next.Files())
	for _, one := range pods {
		one.permit(next)
	}
	for _, one := range pods {
		one.served(next)
		one.restarts(nil)
	}
}

func TestBoundsOfTheNamespaceDoNotKeepThePodOut(t *testing.T) {
	t.Parallel()
	s := pods.Nginx(map[string]string{"certwire.dev/preset": "nginx"})
	r := prepare(t, s, "restricted")
	cpu := func(text string) corev1.ResourceList { return corev1.ResourceList{"cpu": resource.MustParse(text)} }
	_, err := cluster.Client.CoreV1().LimitRanges(r.namespace).Create(t.Context(), &corev1.LimitRange{
		ObjectMeta: metav1.ObjectMeta{Name: "bounds"},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypeContainer, Min: cpu("20m"), Max: cpu("80m"), // the agent's own are 5m and 100m
		}}},
	}, metav1.CreateOptions{})
	r.must(err)
	_, err = cluster.Client.CoreV1().ResourceQuotas(r.namespace).Create(t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "quota"},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{ // so each container has to say what it takes
			"requests.cpu": resource.MustParse("1"), "limits.cpu": resource.MustParse("1"),
			"requests.memory": resource.MustParse("1Gi"), "limits.memory": resource.MustParse("1Gi"),
		}},
	}, metav1.CreateOptions{})
	r.must(err)
	p := s.Pod()
	own := corev1.ResourceList{"cpu": resource.MustParse("50m"), "memory": resource.MustParse("64Mi")}
	p.Spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: own, Limits: own}
	// Quota and webhook learn of both from watches.
	r.eventually(pollAPIEvery, "the pod to be let in", func(ctx context.Context) error {
		_, _, err := r.create(ctx, p, metav1.DryRunAll)
		return err
	})
	r.start(p)
	if class := r.pod.Status.QOSClass; class != corev1.PodQOSGuaranteed {
		t.Errorf("the pod's class is %s: the agent has taken it away", class)
	}
	r.settle()
	r.served(r.replace())
	r.restarts(nil)
}
