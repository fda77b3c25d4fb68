package node

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestASecretReachesARunningPod(t *testing.T) {
	t.Parallel()
	ns := namespace(t, cluster)
	s := secret(t, cluster, ns, "old")
	p := start(t, cluster, ns, pod())
	served(t, p, "/file", "old")

	var took []time.Duration
	// Rounds that follow at once take up to a second: the kubelet lists containers once a second, and looks at a pod again
	// only after it has listed them. After a pause it is a tenth of that.
	for round := range 3 {
		value := fmt.Sprintf("new-%d", round)
		began := time.Now()
		replace(t, cluster, s, p, value)
		served(t, p, "/file", value)
		took = append(took, time.Since(began).Round(time.Millisecond))
	}
	slices.Sort(took)
	t.Logf("from the write of the Secret to the pod's file: median %s of %s", took[len(took)/2], took)

	served(t, p, "/env", "old") // an environment stays what it was
}

func TestASidecarRestartsAllContainersInPlace(t *testing.T) {
	t.Parallel()
	ns := namespace(t, cluster)
	s := secret(t, cluster, ns, "old")
	template := pod()
	watcher := container("watcher", "watch")
	watcher.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
	watcher.RestartPolicyRules = []corev1.ContainerRestartRule{{
		Action: corev1.ContainerRestartRuleActionRestartAllContainers,
		ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{
			Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{88},
		},
	}}
	template.Spec.InitContainers = []corev1.Container{watcher}
	p := start(t, cluster, ns, template)
	served(t, p, "/env", "old")

	began := time.Now()
	replace(t, cluster, s, p, "new")
	served(t, p, "/env", "new")
	t.Logf("from the write of the Secret to the pod's environment: %s", time.Since(began).Round(time.Millisecond))

	eventually(t, "the restarts to be counted", func(ctx context.Context) error {
		now, err := cluster.Client.CoreV1().Pods(ns).Get(ctx, p.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if now.UID != p.UID || now.Status.PodIP != p.Status.PodIP {
			t.Fatalf("the pod was replaced: %s at %s, before %s at %s", now.UID, now.Status.PodIP, p.UID, p.Status.PodIP)
		}
		for _, status := range append(now.Status.InitContainerStatuses, now.Status.ContainerStatuses...) {
			if status.RestartCount < 1 {
				return fmt.Errorf("container %s has not restarted", status.Name)
			}
		}
		return nil
	})
}

func TestAnImageOfAFolderRunsAndItsLogIsRead(t *testing.T) {
	t.Parallel()
	ns := namespace(t, cluster)
	secret(t, cluster, ns, "any")
	template := pod()
	template.Spec.RestartPolicy = corev1.RestartPolicyNever
	template.Spec.Containers[0].Image = folderImage
	template.Spec.Containers[0].Command = []string{"/bin/app"}
	template.Spec.Containers[0].Args = nil
	if _, err := cluster.Client.CoreV1().Pods(ns).Create(t.Context(), template, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	// The API server asks the kubelet, each with a certificate that the other believes.
	eventually(t, "the log", func(ctx context.Context) error {
		log, err := cluster.Client.CoreV1().Pods(ns).GetLogs("app", &corev1.PodLogOptions{}).DoRaw(ctx)
		if err == nil && !strings.Contains(string(log), "usage: app") {
			err = fmt.Errorf("it is %q", log)
		}
		return err
	})
}
