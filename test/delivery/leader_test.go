package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/reload/spec"
	"github.com/certwire/certwire/test/harness"
	"github.com/certwire/certwire/test/pods"
)

// It is not parallel: who leads says what the others look at, and their metrics.
func TestALeaderThatIsKilledInMidRollHasNobodyRestartTwice(t *testing.T) {
	const replicas = 4
	r := prepare(t)
	r.agentIsKnown()
	r.run("web", replicas, pods.App("once", map[string]string{"certwire.dev/method": "restart"}))
	r.ready("web", replicas)
	r.becomes(1, v1alpha1.DeliveryDelivered, "", "4/4")

	first := certwire.Replicas[0]
	if _, err := certwire.Scale(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.must(certwire.Service.WaitReady(t.Context(), 2))
	if _, err := first.Metric(t.Context(), fmt.Sprintf("certwire_delivery_endpoints{certificate=\"web\",namespace=%q", r.namespace)); err != nil {
		t.Fatalf("the first replica does not lead: %v", err)
	}
	led := r.holder()

	stop := r.watchReady("web")
	r.renew()
	r.eventually("the second pod's permit", func(ctx context.Context) error {
		d, err := r.delivery(ctx)
		if err != nil {
			return err
		}
		list, err := r.pods(ctx)
		permits := 0
		for _, p := range list {
			if d.Status.Revision >= 2 && p.Annotations[spec.DeliverKey] == d.Status.Leaf.Fingerprint {
				permits++
			}
		}
		if err == nil && permits < 2 {
			err = fmt.Errorf("%d pods have one", permits)
		}
		return err
	})
	first.Kill()
	certwire.Service.Remove(first)
	certwire.Replicas = slices.DeleteFunc(certwire.Replicas, func(other *harness.Replica) bool { return other == first })
	if d, err := r.delivery(t.Context()); err != nil || d.Status.State == v1alpha1.DeliveryDelivered {
		t.Fatalf("the leader was killed when it had done all: %+v, %v", d.Status, err)
	}

	d := r.becomes(2, v1alpha1.DeliveryDelivered, "", "4/4")
	if r.holder() == led {
		t.Error("the one that was killed leads")
	}
	if least := stop(); least < replicas-1 {
		t.Errorf("only %d of %d replicas were ready at a time", least, replicas)
	}
	r.haveRestarted(int32(d.Status.Revision) - 1)
}

// holder is who leads, by the lease.
func (r *rig) holder() string {
	r.t.Helper()
	lease, err := cluster.Client.CoordinationV1().Leases(harness.Namespace).Get(r.t.Context(), "certwire", metav1.GetOptions{})
	r.must(err)
	if lease.Spec.HolderIdentity == nil {
		r.must(errors.New("nobody leads"))
	}
	return *lease.Spec.HolderIdentity
}
