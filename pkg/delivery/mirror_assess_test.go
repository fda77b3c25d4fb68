package delivery

import (
	"fmt"
	"testing"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

func TestWithCopies(t *testing.T) {
	t.Parallel()
	seen := func(state v1alpha1.DeliveryState, cause Cause) Verdict {
		return Verdict{State: state, Cause: cause, Layer: "pod", Message: "of a pod", Total: 3, Current: 2}
	}
	for sentence, c := range map[string]struct {
		verdict Verdict
		facts   copyFacts
		want    string
	}{
		"nothing is wrong with the copies":                           {seen(stale, Partial), copyFacts{}, "Stale partial pod of a pod"},
		"a copy that is late comes before what the pods serve":       {seen(stale, Partial), copyFacts{late: "late"}, "Stale mirror-stale mirror late"},
		"it makes what is proven stale":                              {seen(delivered, ""), copyFacts{late: "late", before: delivered}, "Stale mirror-stale mirror late"},
		"and what nobody can tell":                                   {seen(unverified, NoConsumer), copyFacts{late: "late"}, "Stale mirror-stale mirror late"},
		"the Secret itself comes before its copies":                  {seen(delivered, ""), copyFacts{overwritten: "other", late: "late"}, "Stale secret-overwritten secret other"},
		"nothing is proven anew while a copy has its time":           {seen(delivered, ""), copyFacts{waiting: "wait", before: delivering}, "Delivering mirror-stale mirror wait"},
		"what was proven stays":                                      {seen(delivered, ""), copyFacts{waiting: "wait", before: delivered}, "Delivered  pod of a pod"},
		"while pods are behind themselves, they are named":           {seen(delivering, ReloadMissing), copyFacts{waiting: "wait", podsBehind: true}, "Delivering reload-missing pod of a pod"},
		"when only those of a copy are, the copy is":                 {seen(delivering, RestartsInTurn), copyFacts{waiting: "wait"}, "Delivering mirror-stale mirror wait"},
		"a copy that has its time makes nothing better":              {seen(stale, Partial), copyFacts{waiting: "wait"}, "Stale partial pod of a pod"},
		"and tells nobody more of what cannot be told":               {seen(unverified, NoConsumer), copyFacts{waiting: "wait"}, "Unverified no-consumer pod of a pod"},
		"a late copy counts although another one still has its time": {seen(delivering, ""), copyFacts{waiting: "wait", late: "late"}, "Stale mirror-stale mirror late"},
	} {
		v := withCopies(c.verdict, c.facts)
		if got := fmt.Sprint(v.State, " ", v.Cause, " ", v.Layer, " ", v.Message); got != c.want || v.Total != 3 || v.Current != 2 {
			t.Errorf("%s: %s, want %s", sentence, got, c.want)
		}
	}
}
