package inventory

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/certwire/certwire/pkg/mutate"
)

// WorkloadKey names a workload.
type WorkloadKey struct{ Kind, Namespace, Name string }

// Workload is a Deployment, StatefulSet or DaemonSet as the cache keeps it: identity, and what a plan depends on. Its
// annotations are not complete, so a change has to be written with a merge patch.
type Workload struct {
	metav1.ObjectMeta
	mutate.Workload
	// AtATime is how many of its pods may be away together by its own strategy, at least 1.
	AtATime int32

	secrets    []string
	isReloader bool
	unknown    []string // annotations that the cache left out
	applied    []string // annotations that somebody owns by server-side apply
}

// Blind reports whether the cache left out an annotation that a plan with these keys would read. Such a plan is not to
// be carried out; admission, which sees all, decides at the workload's next change.
func (w *Workload) Blind(keys mutate.Keys) bool {
	return slices.ContainsFunc([]string{keys.Reload, keys.Auto, keys.Secret, keys.Search, keys.Exclude}, func(key string) bool {
		return slices.Contains(w.unknown, key)
	})
}

// Applied reports whether somebody owns an annotation by server-side apply.
func (w *Workload) Applied(key string) bool { return slices.Contains(w.applied, key) }

// Key is the workload's name.
func (w *Workload) Key() WorkloadKey {
	return WorkloadKey{Kind: w.Kind, Namespace: w.Namespace, Name: w.ObjectMeta.Name}
}

// Indexes over workloads.
const (
	bySecret      = "secret"      // namespace/secret
	byInteresting = "interesting" // namespace; only those that refer to a Secret or carry our status
	isReloaderKey = "reloader"    // constant; only Reloader's own
)

var workloadIndexers = toolscache.Indexers{
	bySecret: func(object any) ([]string, error) {
		w, ok := object.(*Workload)
		if !ok {
			return nil, nil
		}
		keys := make([]string, 0, len(w.secrets))
		for _, s := range w.secrets {
			keys = append(keys, w.Namespace+"/"+s)
		}
		return keys, nil
	},
	byInteresting: func(object any) ([]string, error) {
		w, ok := object.(*Workload)
		if !ok || (len(w.secrets) == 0 && w.Workload.Metadata.Annotations[mutate.StatusKey] == "") {
			return nil, nil
		}
		return []string{w.Namespace}, nil
	},
	isReloaderKey: func(object any) ([]string, error) {
		if w, ok := object.(*Workload); ok && w.isReloader {
			return []string{isReloaderKey}, nil
		}
		return nil, nil
	},
}

// Workload returns a workload, or nil when the cache has none. The result must not be changed.
func (i *Inventory) Workload(key WorkloadKey) *Workload {
	informer := i.workloads(key.Kind)
	if informer == nil {
		return nil
	}
	object, ok, err := informer.GetIndexer().GetByKey(key.Namespace + "/" + key.Name)
	if w, is := object.(*Workload); err == nil && ok && is {
		return w
	}
	return nil
}

// Interesting returns the keys of all workloads that refer to a Secret or carry certwire's status.
func (i *Inventory) Interesting() []WorkloadKey {
	s := i.core.Load()
	if s == nil {
		return nil
	}
	var keys []WorkloadKey
	for _, informer := range []toolscache.SharedIndexInformer{s.deployments, s.statefulSets, s.daemonSets} {
		for _, namespace := range informer.GetIndexer().ListIndexFuncValues(byInteresting) {
			keys = append(keys, keysIn(informer, byInteresting, namespace)...)
		}
	}
	return keys
}

// Counts returns how many objects of each kind are cached, for metrics.
func (i *Inventory) Counts() map[string]int {
	counts := map[string]int{}
	count := func(kind string, informer toolscache.SharedIndexInformer) {
		counts[kind] = len(informer.GetIndexer().ListKeys())
	}
	if s := i.core.Load(); s != nil {
		count("Deployment", s.deployments)
		count("StatefulSet", s.statefulSets)
		count("DaemonSet", s.daemonSets)
		count("Namespace", s.namespaces)
	}
	if s := i.certManager.Load(); s != nil {
		count("Certificate", s.certificates)
		count("Issuer", s.issuers)
		count("ClusterIssuer", s.clusterIssuers)
	}
	return counts
}

func (i *Inventory) workloads(kind string) toolscache.SharedIndexInformer {
	s := i.core.Load()
	if s == nil {
		return nil
	}
	switch kind {
	case "Deployment":
		return s.deployments
	case "StatefulSet":
		return s.statefulSets
	case "DaemonSet":
		return s.daemonSets
	default:
		return nil
	}
}

func keysIn(informer toolscache.SharedIndexInformer, index, value string) []WorkloadKey {
	objects, err := informer.GetIndexer().ByIndex(index, value)
	if err != nil {
		return nil // only for an index that does not exist
	}
	keys := make([]WorkloadKey, 0, len(objects))
	for _, o := range objects {
		if w, ok := o.(*Workload); ok {
			keys = append(keys, w.Key())
		}
	}
	return keys
}
