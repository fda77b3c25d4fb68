package inventory

import (
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/certwire/certwire/pkg/mutate"
)

// nodes is an informer with these nodes, by name and version.
func nodes(t *testing.T, versions map[string]string) toolscache.SharedIndexInformer {
	t.Helper()
	informer := toolscache.NewSharedIndexInformer(nil, &corev1.Node{}, 0, toolscache.Indexers{})
	for name, version := range versions {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		n.Status.NodeInfo = corev1.NodeSystemInfo{KubeletVersion: version, OperatingSystem: "linux"}
		if name == "windows" {
			n.Status.NodeInfo.OperatingSystem = "windows"
		}
		if err := informer.GetIndexer().Add(stripNode(n)); err != nil {
			t.Fatal(err)
		}
	}
	return informer
}

func TestFeaturesAreThoseOfTheOldest(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		server string
		nodes  map[string]string
		want   mutate.Features
	}{
		"everything is new":                {"v1.37.2", map[string]string{"a": "v1.36.0", "b": "v1.37.2-gke.100"}, mutate.Features{}},
		"no node is there":                 {"v1.37.2", nil, mutate.Features{}},
		"a Windows node is old":            {"v1.37.2", map[string]string{"a": "v1.37.2", "windows": "v1.20.0"}, mutate.Features{}},
		"a kubelet lags behind":            {"v1.37.2", map[string]string{"a": "v1.37.2", "c": "v1.34.1", "b": "v1.34.1"}, mutate.Features{RestartAllContainers: "the kubelet of node b is v1.34.1, and restarting all containers needs 1.36"}},
		"the API server is old":            {"v1.31.4-eks-0af8b11", map[string]string{"a": "v1.31.0"}, mutate.Features{RestartAllContainers: "the API server is v1.31.4-eks-0af8b11, and restarting all containers needs 1.36"}},
		"a kubelet is older than sidecars": {"v1.29.0", map[string]string{"a": "v1.28.9"}, mutate.Features{NativeSidecars: "the kubelet of node a is v1.28.9, and native sidecars need 1.29", RestartAllContainers: "the API server is v1.29.0, and restarting all containers needs 1.36"}},
		"a kubelet says nothing":           {"v1.37.2", map[string]string{"a": ""}, mutate.Features{NativeSidecars: "the kubelet of node a is of no known version, and native sidecars need 1.29", RestartAllContainers: "the kubelet of node a is of no known version, and restarting all containers needs 1.36"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			informer := nodes(t, c.nodes)
			got := mutate.Features{
				NativeSidecars:       tooOld(c.server, informer, "native sidecars need", nativeSidecarsSince),
				RestartAllContainers: tooOld(c.server, informer, "restarting all containers needs", restartAllContainersSince),
			}
			if got != c.want {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestNothingIsKnownAtFirst(t *testing.T) {
	t.Parallel()
	i := New(Options{Log: logr.Discard()})
	if _, known := i.Features(); known {
		t.Error("features of a cluster that nobody has seen")
	}
	if limits := i.Limits("shop"); limits != nil {
		t.Errorf("limits %v", limits)
	}
}

func TestFeaturesThatNobodyTellsAreMissing(t *testing.T) {
	t.Parallel()
	i := New(Options{Log: logr.Discard()})
	i.featuresAwaited.Store(true)
	if f, known := i.Features(); !known || f.NativeSidecars == "" || f.RestartAllContainers == "" {
		t.Errorf("after the patience: %+v, %v", f, known)
	}
	version, tried, informer := "v1.37.2", mutate.Features{}, nodes(t, map[string]string{"a": "v1.37.2"})
	i.serverVersion.Store(&version)
	i.tried.Store(&tried)
	synced := toolscache.SharedIndexInformer(syncedInformer{informer})
	i.nodes.Store(&synced)
	if !i.replan() {
		t.Fatal("they are not found")
	}
	if f, known := i.Features(); !known || f != (mutate.Features{}) {
		t.Errorf("once they are known: %+v, %v", f, known)
	}
}

// syncedInformer is one that nobody runs.
type syncedInformer struct{ toolscache.SharedIndexInformer }

func (syncedInformer) HasSynced() bool { return true }
