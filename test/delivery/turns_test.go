package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/test/harness"
)

// The Deployment alone would let two be away; the PodDisruptionBudget, one.
func TestRestartsLeaveWhatAPodDisruptionBudgetAsksFor(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	_, err := cluster.Client.PolicyV1().PodDisruptionBudgets(r.namespace).Create(t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable: new(intstr.FromInt32(3)), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
		},
	}, metav1.CreateOptions{})
	r.must(err)
	r.restartInTurns(4, 3, "50%")
}

func TestRestartsGoAsManyAtATimeAsTheStrategySays(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	r.restartInTurns(4, 2, "50%")
}

// restartInTurns deploys replicas that have to restart, of which so many may be away by their strategy ("" for the default),
// renews their certificate, and fails the test if fewer than least are Ready at any time.
func (r *rig) restartInTurns(replicas, least int32, away string) {
	r.t.Helper()
	r.agentIsKnown()
	r.deploy("web", server{from: "once", replicas: replicas, port: 8443, annotations: map[string]string{"certwire.dev/method": "restart"}})
	if away != "" {
		r.atATime("web", away)
	}
	all := fmt.Sprintf("%d/%d", replicas, replicas)
	r.becomes(1, v1alpha1.DeliveryDelivered, "", all)
	stop := r.watchReady("web")
	written := r.renew()
	d := r.becomes(2, v1alpha1.DeliveryDelivered, "", all)
	r.t.Logf("%d replicas, of which %d are to stay, restarted in turns in %s", replicas, least, time.Since(written).Round(100*time.Millisecond))
	if got := stop(); got < least {
		r.t.Errorf("only %d of %d replicas were ready at a time", got, replicas)
	}
	r.haveRestarted(int32(d.Status.Revision) - 1)
}

// atATime sets how many pods of a Deployment may be away, and waits until its controller has seen that.
func (r *rig) atATime(name, away string) {
	r.t.Helper()
	deployments := cluster.Client.AppsV1().Deployments(r.namespace)
	r.must(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		d, err := deployments.Get(r.t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		d.Spec.Strategy.RollingUpdate.MaxUnavailable = new(intstr.Parse(away))
		_, err = deployments.Update(r.t.Context(), d, metav1.UpdateOptions{})
		return err
	}))
	r.eventually("the strategy to be seen", func(ctx context.Context) error {
		d, err := deployments.Get(ctx, name, metav1.GetOptions{})
		if err == nil && d.Status.ObservedGeneration != d.Generation {
			err = fmt.Errorf("generation %d of %d is seen", d.Status.ObservedGeneration, d.Generation)
		}
		return err
	})
}

func TestAServerThatReadsOnceIsRolledOutWhereItsOwnerAllowsIt(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	r.deploy("web", server{from: "once", replicas: 3, port: 8443})
	r.deploy("other", server{from: "once", replicas: 1, port: 8443})
	_, err := cluster.Client.AppsV1().Deployments(r.namespace).Patch(t.Context(), "web", types.MergePatchType,
		[]byte(`{"metadata":{"annotations":{"certwire.dev/escalate":"rollout"}}}`), metav1.PatchOptions{})
	r.must(err)
	r.becomes(1, v1alpha1.DeliveryDelivered, "", "4/4")
	before, err := r.pods(t.Context())
	r.must(err)
	r.renew()
	// The other one stays as it is: its owner has not said anything.
	d := r.becomes(2, v1alpha1.DeliveryStale, "partial", "3/4", func(s status) bool {
		return len(s.Rollouts) == 1 && s.Rollouts[0].Workload == "Deployment/web"
	})
	after, err := r.pods(t.Context())
	r.must(err)
	for _, p := range after {
		if p.DeletionTimestamp != nil {
			continue
		}
		if is := slices.ContainsFunc(before, func(b corev1.Pod) bool { return b.UID == p.UID }); is != (p.Labels["app"] == "other") {
			t.Errorf("pod %s was there before: %t", p.Name, is)
		}
	}
	r.eventually("the Event", func(context.Context) error {
		if got := r.events(); !slices.Contains(got, "RolledOut") {
			return fmt.Errorf("there are %q", got)
		}
		return nil
	})
	web, err := cluster.Client.AppsV1().Deployments(r.namespace).Get(t.Context(), "web", metav1.GetOptions{})
	r.must(err)
	rollouts, err := strconv.ParseInt(web.Annotations["deployment.kubernetes.io/revision"], 10, 64)
	if err != nil || rollouts < 2 || rollouts > d.Status.Revision { // once for each renewal
		t.Errorf("it is at revision %d, the Certificate at %d: %v", rollouts, d.Status.Revision, err)
	}
}

func TestAServerThatWatchesItsFilesIsNoticed(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	r.deploy("web", server{from: "watch", replicas: 2, port: 8443})
	r.becomes(1, v1alpha1.DeliveryDelivered, "", "2/2")
	r.renew()
	r.becomes(2, v1alpha1.DeliveryDelivered, "", "2/2")
	r.eventually("it to be noticed", func(ctx context.Context) error {
		d, err := r.delivery(ctx)
		if err == nil && !slices.Equal(d.Status.TakesUp, []string{"Deployment/web"}) {
			err = fmt.Errorf("noticed are %q", d.Status.TakesUp)
		}
		return err
	})
}

// The policy of the component lets one annotation of a pod template through, and nothing else.
func TestCertwireCanOnlyRestartWorkloads(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	r.deploy("web", server{from: "watch", replicas: 1, port: 8443})
	config := rest.CopyConfig(cluster.Rest)
	config.Impersonate.UserName = "system:serviceaccount:" + harness.Namespace + ":certwire"
	itself, err := kubernetes.NewForConfig(config)
	r.must(err)
	const template = `{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"2026-11-25T00:00:00Z"`
	for sentence, c := range map[string]struct {
		patch string
		wants string // of the refusal; empty for none
	}{
		"a restart":                     {template + `}}}}}`, ""},
		"its own annotation":            {`{"metadata":{"annotations":{"certwire.dev/status":"{}"}}}`, ""},
		"another annotation":            {`{"metadata":{"annotations":{"a":"b"}}}`, "changes no annotations of a workload but"},
		"another of the template":       {template + `,"a":"b"}}}}}`, "no annotation of a pod template but"},
		"a label of the template":       {template + `},"labels":{"a":"b"}}}}}`, "nothing of a pod template's metadata but"},
		"an image":                      {template + `}},"spec":{"containers":[{"name":"server","image":"example.com/evil"}]}}}}`, "nothing of a workload's spec but"},
		"a number of replicas":          {`{"spec":{"replicas":0}}`, "nothing of a workload's spec but"},
		"a strategy":                    {`{"spec":{"minReadySeconds":100}}`, "nothing of a workload's spec but"},
		"something that is not there":   {`{"spec":{"paused":true}}`, "nothing of a workload's spec but"},
		"an annotation that goes again": {`{"spec":{"template":{"metadata":{"annotations":null}}}}`, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			_, err := itself.AppsV1().Deployments(r.namespace).Patch(t.Context(), "web", types.StrategicMergePatchType, []byte(c.patch),
				metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
			if c.wants == "" && err != nil || c.wants != "" && (err == nil || !strings.Contains(err.Error(), c.wants)) {
				t.Error(err)
			}
		})
	}
}

// allowRollouts applies the base's policy as the component rollouts changes it, and nothing else of the overlay, which would turn
// the webhooks away from where the tests run them.
func allowRollouts(ctx context.Context) error {
	rendered, err := cluster.Kubectl(ctx, "", "kustomize", "manifests/overlays/rollouts")
	if err != nil {
		return err
	}
	for document := range strings.SplitSeq(rendered, "\n---\n") {
		if strings.Contains(document, "kind: ValidatingAdmissionPolicy\n") && strings.Contains(document, "name: certwire-restraint\n") {
			_, err := cluster.Kubectl(ctx, document, "apply", "-f", "-")
			return err
		}
	}
	return errors.New("the overlay has no policy certwire-restraint")
}
