package inventory

import (
	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
)

// ReloaderConfigMap is the name under which Reloader publishes its options (stakater/Reloader, pkg/common/metainfo.go).
const ReloaderConfigMap = "reloader-meta-info"

// Scheme returns the types that the inventory decodes.
func Scheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, cmapi.AddToScheme, acmeapi.AddToScheme} {
		if err := add(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// CacheOptions makes a manager's cache keep only what the inventory uses. Workloads are kept as [Workload], so that
// cache must not be read through a client. Nothing is set by kind: controller-runtime would ask the API server about
// each such kind at once, and fail when it is away or cert-manager's CRDs are missing.
//
// With leaves, a little is kept of each certificate that was issued: what [Inventory.Issued] tells, and of each that was
// not: what [Inventory.Issuance] does. Without, that is nothing.
func CacheOptions(leaves bool) cache.Options {
	transform := strip
	if leaves {
		transform = stripButLeaves
	}
	return cache.Options{DefaultTransform: transform, ReaderFailOnMissingInformer: true}
}

// ConfigMapCache returns the cache for Reloader's ConfigMap: RBAC allows reading this one name alone, in all
// namespaces, which a field selector on metadata.name satisfies. It has to be added to the manager.
func ConfigMapCache(config *rest.Config, scheme *runtime.Scheme) (cache.Cache, error) {
	return cache.New(config, cache.Options{
		Scheme:                      scheme,
		DefaultFieldSelector:        fields.OneTermEqualSelector("metadata.name", ReloaderConfigMap),
		DefaultTransform:            strip,
		ReaderFailOnMissingInformer: true,
	})
}

// SolverCache returns the cache for the Ingresses that cert-manager makes for Challenges, by their label: no other one is
// read. It has to be added to the manager.
func SolverCache(config *rest.Config, scheme *runtime.Scheme) (cache.Cache, error) {
	return cache.New(config, cache.Options{
		Scheme:                      scheme,
		DefaultLabelSelector:        labels.SelectorFromSet(labels.Set{acmeapi.SolverIdentificationLabelKey: "true"}),
		DefaultTransform:            stripSolver,
		ReaderFailOnMissingInformer: true,
	})
}
