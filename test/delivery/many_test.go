package delivery

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/test/pods"
)

// It is not parallel: what is measured is of one Certificate on a machine that does nothing else.
func TestAHundredPodsAreRenewedAtOnce(t *testing.T) {
	const replicas = 100
	r := prepare(t)
	r.run("web", replicas, pods.App("watch", nil))
	r.ready("web", replicas)
	r.becomes(1, v1alpha1.DeliveryDelivered, "", "100/100")

	look := r.onceWritten()
	r.renew()
	took := look()
	slices.Sort(took)
	d := r.becomes(2, v1alpha1.DeliveryDelivered, "", "100/100")
	t.Logf("from the write of the Secret to the new leaf on the wire, as seen by the test: p50 %s, p99 %s, last %s; LAG %s",
		took[replicas/2], took[replicas*99/100], took[replicas-1], d.Status.Lag)
	if len(d.Status.Endpoints) != 50 {
		t.Errorf("%d endpoints are listed, want the bound", len(d.Status.Endpoints))
	}
	r.free("web")
}

// onceWritten dials every pod again and again from the next write of the Secret on, whatever certwire does. What it
// returns waits until all of them serve another leaf than now, and says how long each took.
func (r *rig) onceWritten() func() []time.Duration {
	r.t.Helper()
	list, err := r.pods(r.t.Context())
	r.must(err)
	var addresses []string
	for _, p := range list {
		addresses = append(addresses, net.JoinHostPort(p.Status.PodIP, "8443"))
	}
	before := pods.Look(r.t.Context(), addresses[:1])[0].Leaf
	secrets := cluster.Client.CoreV1().Secrets(r.namespace)
	now, err := secrets.List(r.t.Context(), metav1.ListOptions{})
	r.must(err)
	w, err := secrets.Watch(r.t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + secretName, ResourceVersion: now.ResourceVersion})
	r.must(err)
	var took []time.Duration
	done := make(chan error, 1)
	go func() {
		defer w.Stop()
		<-w.ResultChan()
		seen, err := pods.Watch(r.t.Context(), addresses, before, time.Now())
		took = seen
		done <- err
	}()
	return func() []time.Duration {
		r.t.Helper()
		r.eventually("all pods to serve another leaf", func(context.Context) error {
			select {
			case err := <-done:
				r.must(err)
				return nil
			default:
				return errors.New("not all do")
			}
		})
		return took
	}
}

// free removes a Deployment with its pods, and waits until they are gone: they would go on to take part of the machine.
func (r *rig) free(name string) {
	r.t.Helper()
	r.must(cluster.Client.AppsV1().Deployments(r.namespace).Delete(r.t.Context(), name, metav1.DeleteOptions{}))
	r.eventually("the pods to be gone", func(ctx context.Context) error {
		list, err := r.pods(ctx)
		if err == nil && len(list) > 0 {
			err = errors.New("some are there")
		}
		return err
	})
}
