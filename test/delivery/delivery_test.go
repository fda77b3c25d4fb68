package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/test/harness"
	"github.com/certwire/certwire/test/pods"
)

func TestARenewalIsPokedIntoEachReplicaAndProven(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	r.deploy("web", server{from: "watch", replicas: 3, port: 8443})
	r.becomes(1, v1alpha1.DeliveryDelivered, "", "3/3")
	before, err := r.pods(t.Context())
	r.must(err)

	var lags []string
	for round := range 3 {
		written := r.renew()
		d := r.becomes(int64(round+2), v1alpha1.DeliveryDelivered, "", "3/3", func(s status) bool {
			return len(s.Previous) > round && s.Verified != nil
		})
		lags = append(lags, d.Status.Lag+" (proven and written down after "+time.Since(written).Round(10*time.Millisecond).String()+")")
	}
	t.Logf("from the issuance until 3 of 3 replicas served it: %s", strings.Join(lags, ", "))

	after, err := r.pods(t.Context())
	r.must(err)
	for i := range before {
		if before[i].UID != after[i].UID || after[i].Status.ContainerStatuses[0].RestartCount != 0 {
			t.Errorf("pod %s was replaced or has restarted", before[i].Name)
		}
	}
	table, err := cluster.Kubectl(t.Context(), "", "get", "certificatedeliveries", "-n", r.namespace)
	r.must(err)
	t.Log("\n" + table)
	if !strings.Contains(table, "Delivered") || !strings.Contains(table, "3/3") {
		t.Error("kubectl does not show it")
	}
	r.metric(`certwire_delivery_endpoints{certificate="web",namespace=%q,state="current"} 3`)
}

func TestAServerThatReadsOnceIsStale(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	r.deploy("web", server{from: "once", replicas: 3, port: 8443})
	r.becomes(1, v1alpha1.DeliveryDelivered, "", "3/3")
	r.renew()
	r.becomes(2, v1alpha1.DeliveryStale, "reload-missing", "0/3")
	r.eventually("the Event", func(context.Context) error {
		if got := r.events(); !slices.Contains(got, "CertificateStale") {
			return fmt.Errorf("there are %q", got)
		}
		return nil
	})
	// What a person would do now helps, and is seen.
	r.must(cluster.Client.CoreV1().Pods(r.namespace).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "test=delivery"}))
	r.becomes(2, v1alpha1.DeliveryDelivered, "", "3/3")
}

func TestOneStaleReplicaOfThreeIsNamed(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	r.deploy("web", server{from: "watch", replicas: 2, port: 8443})
	r.deploy("late", server{from: "once", replicas: 1, port: 8443})
	r.becomes(1, v1alpha1.DeliveryDelivered, "", "3/3")
	r.renew()
	r.becomes(2, v1alpha1.DeliveryStale, "partial", "2/3", func(s status) bool {
		first := s.Endpoints[0]
		return strings.HasPrefix(first.Pod, "late-") && first.State == "previous" && first.Serial != s.Leaf.Serial
	})
	r.metric(`certwire_delivery_divergence_since_timestamp_seconds{certificate="web",namespace=%q} 1`) // a Unix time of these years begins with 1
}

func TestWhatCannotBeReachedIsNotStale(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	// As behind a NetworkPolicy: nothing answers where TLS is said to be.
	r.deploy("web", server{from: "watch", replicas: 1, port: 8443, annotations: map[string]string{"certwire.dev/verify": "9443"}})
	r.becomes(1, v1alpha1.DeliveryUnverified, "unreachable", "0/1", func(s status) bool {
		e := s.Endpoints[0]
		return e.State == "unreachable" && e.Cause == "refused" && e.Port == "9443"
	})
}

func TestWithoutAConsumerNothingIsFine(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	d := r.becomes(1, v1alpha1.DeliveryUnverified, "no-consumer", "0/0")
	if len(d.OwnerReferences) != 1 || d.OwnerReferences[0].Kind != "Certificate" || d.OwnerReferences[0].Name != "web" {
		t.Errorf("owners %+v", d.OwnerReferences)
	}
	// When the Certificate is gone, so is what was said of it.
	r.must(objects.Delete(t.Context(), &cmapi.Certificate{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: "web"}}))
	r.eventually("the delivery to be gone", func(ctx context.Context) error {
		switch _, err := r.delivery(ctx); {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil:
			return err
		default:
			return errors.New("it is there")
		}
	})
}

func TestReplicasRestartOneAfterTheOther(t *testing.T) {
	t.Parallel()
	prepare(t).restartInTurns(3, 2, "")
}

func TestTheComponentBringsAllOfItAndTheBaseNothing(t *testing.T) {
	t.Parallel()
	for folder, is := range map[string]bool{"manifests": false, "manifests/overlays/delivery": true} {
		text, err := cluster.Kubectl(t.Context(), "", "kustomize", folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"- --delivery\n", "certificatedeliveries.certwire.dev", "certwire-delivery", "certwire-restraint-delivery"} {
			if strings.Contains(text, part) != is {
				t.Errorf("%s in %s: %t", part, folder, !is)
			}
		}
	}
}

// The policy of the component holds certwire's own ServiceAccount to its annotation.
func TestCertwireCanOnlyWriteItsAnnotationToPods(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	r.deploy("web", server{from: "watch", replicas: 1, port: 8443})
	pods, err := r.pods(t.Context())
	r.must(err)
	config := rest.CopyConfig(cluster.Rest)
	config.Impersonate.UserName = "system:serviceaccount:" + harness.Namespace + ":certwire"
	itself, err := kubernetes.NewForConfig(config)
	r.must(err)
	leaf := strings.Repeat("0", 64)
	for sentence, c := range map[string]struct {
		patch string
		wants string // of the refusal; empty for none
	}{
		"a fingerprint":            {`{"metadata":{"annotations":{"certwire.dev/deliver":"` + leaf + `"}}}`, ""},
		"two":                      {`{"metadata":{"annotations":{"certwire.dev/deliver":"` + leaf + `,await-` + leaf + `"}}}`, ""},
		"another text":             {`{"metadata":{"annotations":{"certwire.dev/deliver":"$(reboot)"}}}`, "holds fingerprints"},
		"another annotation":       {`{"metadata":{"annotations":{"certwire.dev/deliver":"` + leaf + `","a":"b"}}}`, "no annotation of a pod but"},
		"an annotation of its own": {`{"metadata":{"annotations":{"certwire.dev/deliver":"` + leaf + `","certwire.dev/verify":"1"}}}`, "no annotation of a pod but"},
		"a label":                  {`{"metadata":{"labels":{"app":"other"}}}`, "never changes the labels"},
		"an image":                 {`{"spec":{"containers":[{"name":"server","image":"example.com/evil"}]}}`, "never changes the spec"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			_, err := itself.CoreV1().Pods(r.namespace).Patch(t.Context(), pods[0].Name, types.StrategicMergePatchType, []byte(c.patch),
				metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
			if c.wants == "" && err != nil || c.wants != "" && (err == nil || !strings.Contains(err.Error(), c.wants)) {
				t.Error(err)
			}
		})
	}
}

// watchReady notes the least number of ready replicas of a Deployment until the function is called.
func (r *rig) watchReady(name string) func() int32 {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	w, err := cluster.Client.AppsV1().Deployments(r.namespace).Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	r.must(err)
	least, done := int32(1<<30), make(chan struct{})
	go func() {
		defer close(done)
		for event := range w.ResultChan() {
			if d, ok := event.Object.(*appsv1.Deployment); ok {
				least = min(least, d.Status.ReadyReplicas)
			}
		}
	}()
	return func() int32 {
		cancel()
		<-done
		return least
	}
}

// agentIsKnown waits until the webhook injects agents here: its cache is behind by milliseconds.
func (r *rig) agentIsKnown() {
	r.t.Helper()
	trial := pods.App("once", map[string]string{"certwire.dev/method": "restart"}).Pod()
	r.eventually("the webhook to know of the Certificate", func(ctx context.Context) error {
		made, err := cluster.Client.CoreV1().Pods(r.namespace).Create(ctx, trial, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil && len(made.Spec.InitContainers) == 0 {
			err = fmt.Errorf("it does not inject: %v", made.Annotations)
		}
		return err
	})
}
