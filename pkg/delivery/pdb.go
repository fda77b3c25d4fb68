package delivery

import (
	"time"

	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
)

// disruptions is a PodDisruptionBudget as the cache keeps it.
type disruptions struct {
	metav1.ObjectMeta
	// selector chooses its pods; allowed is how many of them may be away beyond those that are.
	selector labels.Selector
	allowed  int
}

// byNamespace indexes PodDisruptionBudgets.
const byNamespace = "namespace"

var disruptionIndexers = toolscache.Indexers{byNamespace: toolscache.MetaNamespaceIndexFunc}

// stripDisruptions keeps what a turn depends on. An empty selector chooses every pod of the namespace, and a missing one
// none (policy/v1 PodDisruptionBudgetSpec); one that cannot be read chooses everything, to be on the safe side.
func stripDisruptions(b *policyv1.PodDisruptionBudget) *disruptions {
	kept := &disruptions{
		ObjectMeta: metav1.ObjectMeta{Name: b.Name, Namespace: b.Namespace, UID: b.UID, ResourceVersion: b.ResourceVersion},
		allowed:    int(b.Status.DisruptionsAllowed),
	}
	selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
	if err != nil {
		selector = labels.Everything()
	}
	kept.selector = selector
	return kept
}

// settling is how long a budget's own count may not know of a restart that has begun.
const settling = 10 * time.Second

// restarting is a pod that was permitted to restart, and has not been proven since.
type restarting struct {
	namespace string
	labels    map[string]string
	since     time.Time
	ready     bool
}

// restartKey is one pod and the Certificate for which it restarts: a pod may use several.
type restartKey struct {
	pod types.UID
	of  types.NamespacedName
}

// reserve notes that a pod is about to restart, if every PodDisruptionBudget that chooses it has room for one more; else it
// returns the name of one that has none. What its count cannot know of yet is taken off. One that is not Ready is away
// already.
func (r *run) reserve(p *Pod, of types.NamespacedName, now time.Time) (full string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.Ready {
		for _, b := range r.budgetsOf(p) {
			room := b.allowed
			for key, other := range r.restarting {
				if key.pod != p.UID && other.namespace == p.Namespace && (other.ready || now.Sub(other.since) < settling) && b.selector.Matches(labels.Set(other.labels)) {
					room--
				}
			}
			if room <= 0 {
				return b.Name
			}
		}
	}
	r.restarting[restartKey{p.UID, of}] = restarting{namespace: p.Namespace, labels: p.Labels, since: now, ready: p.Ready}
	return ""
}

// follow notes whether a pod's restart for a Certificate is under way, and since when.
func (r *run) follow(p *Pod, of types.NamespacedName, under bool, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := restartKey{p.UID, of}
	if !under {
		delete(r.restarting, key)
		return
	}
	r.restarting[key] = restarting{namespace: p.Namespace, labels: p.Labels, since: since, ready: p.Ready}
}

// leave forgets the restart of a pod that is gone.
func (r *run) leave(pod types.UID, of types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.restarting, restartKey{pod, of})
}

// budgetsOf are the PodDisruptionBudgets that choose a pod.
func (r *run) budgetsOf(p *Pod) []*disruptions {
	objects, err := r.disruptions.ByIndex(byNamespace, p.Namespace)
	if err != nil {
		return nil // only for an index that does not exist
	}
	var out []*disruptions
	for _, object := range objects {
		if b, ok := object.(*disruptions); ok && b.selector.Matches(labels.Set(p.Labels)) {
			out = append(out, b)
		}
	}
	return out
}
