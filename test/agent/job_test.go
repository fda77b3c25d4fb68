package agent

import (
	"context"
	"fmt"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAJobEndsWithTheAgentInItsPod(t *testing.T) {
	t.Parallel()
	s := asked("POST :9090/reload")
	r := prepare(t, s, "restricted")
	p := s.Pod()
	p.Spec.RestartPolicy = corev1.RestartPolicyNever
	job, err := cluster.Client.BatchV1().Jobs(r.namespace).Create(t.Context(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: batchv1.JobSpec{BackoffLimit: new(int32(0)), Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Annotations: p.Annotations}, Spec: p.Spec,
		}},
	}, metav1.CreateOptions{})
	r.must(err)
	var name string
	r.eventually(pollAPIEvery, "the Job's pod", func(ctx context.Context) error {
		pods, err := cluster.Client.CoreV1().Pods(r.namespace).List(ctx, metav1.ListOptions{LabelSelector: "batch.kubernetes.io/job-name=" + job.Name})
		if err != nil {
			return err
		}
		if len(pods.Items) != 1 {
			return fmt.Errorf("there are %d", len(pods.Items))
		}
		name = pods.Items[0].Name
		return nil
	})
	r.await(name)
	r.settle()
	r.served(r.replace()) // a Job may run for longer than a certificate
	r.tell("/finish")
	r.eventually(pollAPIEvery, "the Job's end", func(ctx context.Context) error {
		now, err := cluster.Client.BatchV1().Jobs(r.namespace).Get(ctx, job.Name, metav1.GetOptions{})
		if err == nil && now.Status.Succeeded != 1 {
			err = fmt.Errorf("it is at %+v", now.Status)
		}
		return err
	})
	for _, c := range r.status().Status.InitContainerStatuses {
		if ended := c.State.Terminated; ended == nil || ended.ExitCode != 0 {
			t.Errorf("container %s has not ended well: %+v", c.Name, c.State)
		}
	}
}
