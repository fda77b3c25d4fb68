package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/cluster"
	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

const installDeliveries = "kubectl apply -k manifests/overlays/delivery"

// deliveries says whether anybody looks at what is served, and whether they see anything.
func (d *doctor) deliveries(ctx context.Context) {
	const check = "deliveries"
	var list v1alpha1.CertificateDeliveryList
	err := d.cluster.List(ctx, &list)
	switch {
	case meta.IsNoMatchError(err):
		d.warn(check, installDeliveries, "they are off: nobody looks at whether renewals reach the wire")
		return
	case err != nil:
		d.warn(check, "", "could not look at them: %s", cluster.Why(err))
		return
	}
	var server appsv1.Deployment
	if d.cluster.Get(ctx, client.ObjectKey{Namespace: d.system, Name: deploymentName}, &server) == nil && !runsDeliveries(&server) {
		d.warn(check, installDeliveries, "they are off: Deployment %s/%s runs without --delivery", d.system, deploymentName)
		return
	}
	count := map[v1alpha1.DeliveryState]int{}
	blind := 0
	for i := range list.Items {
		s := &list.Items[i].Status
		count[s.State]++
		if s.State == v1alpha1.DeliveryUnverified && s.Cause == "unreachable" {
			blind++
		}
	}
	stale, seen := count[v1alpha1.DeliveryStale], count[v1alpha1.DeliveryStale]+count[v1alpha1.DeliveryDelivered]+count[v1alpha1.DeliveryDelivering]
	switch {
	case len(list.Items) == 0:
		d.warn(check, d.logs(), "there are none: there is no Certificate, or certwire has not looked yet")
	case blind > 0 && seen == 0:
		d.warn(check, "kubectl get networkpolicies -A", "nothing is seen of %d of %d: NetworkPolicies or a mesh keep certwire from the pods (docs/delivery.md)", blind, len(list.Items))
	case stale > 0:
		d.warn(check, "kubectl certwire status -A", "%s", states(count))
	default:
		d.ok(check, "%s", states(count))
	}
}

func runsDeliveries(server *appsv1.Deployment) bool {
	for _, c := range server.Spec.Template.Spec.Containers {
		if slices.ContainsFunc(c.Args, func(a string) bool { return a == "--delivery" || a == "--delivery=true" }) {
			return true
		}
	}
	return false
}

// states counts them in words, the worst first.
func states(count map[v1alpha1.DeliveryState]int) string {
	var out []string
	for _, s := range []v1alpha1.DeliveryState{
		v1alpha1.DeliveryStale, v1alpha1.DeliveryUnverified, v1alpha1.DeliveryDelivering, v1alpha1.DeliveryPending, v1alpha1.DeliveryDelivered,
	} {
		if count[s] > 0 {
			out = append(out, fmt.Sprintf("%d %s", count[s], s))
		}
	}
	return strings.Join(out, ", ")
}
