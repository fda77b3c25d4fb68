package delivery

import (
	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

// The layers before the pods.
const (
	LayerSecret = "secret"
	LayerMirror = "mirror"
)

// The causes that lie before the pods.
const (
	MirrorStale       Cause = "mirror-stale"       // a copy of the Secret is behind
	SecretOverwritten Cause = "secret-overwritten" // the Certificate's own Secret holds something else than was issued
)

// copyFacts are what is known of a Secret and its copies. Each text says what is wrong with the first of its kind; empty
// when there is none.
type copyFacts struct {
	before v1alpha1.DeliveryState
	// overwritten is about the Certificate's own Secret; late about a copy that has had its time; waiting about one that is
	// behind, and has not.
	overwritten, late, waiting string
	// podsBehind says that a pod that uses no copy does not serve the leaf.
	podsBehind bool
}

// withCopies puts the Secret and its copies before the pods: what a pod serves follows from them. A copy can make a delivery
// stale, and never fine.
func withCopies(v Verdict, f copyFacts) Verdict {
	switch {
	case f.overwritten != "":
		v.State, v.Cause, v.Layer, v.Message = v1alpha1.DeliveryStale, SecretOverwritten, LayerSecret, f.overwritten
	case f.late != "":
		v.State, v.Cause, v.Layer, v.Message = v1alpha1.DeliveryStale, MirrorStale, LayerMirror, f.late
	case f.waiting == "" || f.podsBehind:
	case v.State == v1alpha1.DeliveryDelivered && f.before != v.State, v.State == v1alpha1.DeliveryDelivering:
		// What was proven stays so while a copy has its time.
		v.State, v.Cause, v.Layer, v.Message = v1alpha1.DeliveryDelivering, MirrorStale, LayerMirror, f.waiting
	}
	return v
}
