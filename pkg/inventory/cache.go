package inventory

import (
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ReloaderConfigMap is the name under which Reloader publishes its options (stakater/Reloader, pkg/common/metainfo.go).
const ReloaderConfigMap = "reloader-meta-info"

// Scheme returns the types that the inventory decodes.
func Scheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, cmapi.AddToScheme} {
		if err := add(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// CacheOptions makes a manager's cache keep only what the inventory uses. Workloads are kept as [Workload], so that
// cache must not be read through a client.
func CacheOptions() cache.Options {
	return cache.Options{
		DefaultTransform:            stripMeta,
		ReaderFailOnMissingInformer: true,
		ByObject: map[client.Object]cache.ByObject{
			&appsv1.Deployment{}:   {Transform: stripDeployment},
			&appsv1.StatefulSet{}:  {Transform: stripStatefulSet},
			&appsv1.DaemonSet{}:    {Transform: stripDaemonSet},
			&cmapi.Certificate{}:   {Transform: stripCertificate},
			&cmapi.Issuer{}:        {Transform: stripIssuer},
			&cmapi.ClusterIssuer{}: {Transform: stripClusterIssuer},
			// RBAC allows reading this one name alone, which a field selector on metadata.name satisfies.
			&corev1.ConfigMap{}: {Field: fields.OneTermEqualSelector("metadata.name", ReloaderConfigMap)},
		},
	}
}
