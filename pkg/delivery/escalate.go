package delivery

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

// maxRollouts bounds how many workloads are rolled out for one leaf, and maxTakesUp how many are remembered to need nobody.
const maxRollouts, maxTakesUp = 20, 20

// use is one pod of a workload that uses the Secret, and what was seen of it.
type use struct {
	workload string
	// older began before the leaf was issued; so did its containers, if running says so.
	older, running bool
	// stale serves what was before, or another certificate; late, and has had its time; current serves the leaf.
	stale, late, current bool
	// alone has no agent, and mounts the Secret in a way that shows a new content to running containers.
	alone bool
}

// helpless are the workloads that serve an old certificate late, each once and sorted. A rollout helps with those whose
// stale pods are all older than the leaf: a younger one began with the Secret as it is, and serves something else all the
// same.
func helpless(uses []use) []string {
	var out []string
	for _, u := range uses {
		if u.stale && u.late && !slices.ContainsFunc(uses, func(other use) bool {
			return other.workload == u.workload && other.stale && !other.older
		}) {
			out = append(out, u.workload)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// takers are the workloads that have taken a renewal up by themselves: containers that ran before it serve it. One that was
// known as such, and has a pod that serves an old certificate, is none any more. Nothing is said where it cannot be seen.
func takers(known []string, uses []use) []string {
	out := slices.DeleteFunc(slices.Clone(known), func(workload string) bool {
		return slices.ContainsFunc(uses, func(u use) bool { return u.workload == workload && u.late && u.stale })
	})
	for _, u := range uses {
		old := func(other use) bool { return other.workload == u.workload && other.older && other.running }
		if old(u) && u.alone && !slices.ContainsFunc(uses, func(other use) bool { return old(other) && !(other.current && other.alone) }) {
			out = append(out, u.workload)
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), maxTakesUp)]
}

// withRollouts adds the workloads for which there is none yet. A leaf has each of them rolled out once, whatever comes of
// it: what did not help does not help the second time.
func withRollouts(before []v1alpha1.DeliveryRollout, workloads []string, now time.Time) []v1alpha1.DeliveryRollout {
	out := before
	for _, workload := range workloads {
		if len(out) < maxRollouts && !slices.ContainsFunc(out, func(r v1alpha1.DeliveryRollout) bool { return r.Workload == workload }) {
			out = append(slices.Clip(out), v1alpha1.DeliveryRollout{Workload: workload, At: metav1.NewTime(now.UTC().Truncate(time.Second))})
		}
	}
	return out
}

// rollable reports whether a workload is of a kind that rolls out.
func rollable(workload string) bool {
	kind, _, _ := strings.Cut(workload, "/")
	return kind == "Deployment" || kind == "StatefulSet" || kind == "DaemonSet"
}
