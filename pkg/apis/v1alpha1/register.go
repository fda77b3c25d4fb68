package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is certwire.dev/v1alpha1.
var GroupVersion = schema.GroupVersion{Group: "certwire.dev", Version: "v1alpha1"}

// AddToScheme registers the types of this package.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &IssuanceBudget{}, &IssuanceBudgetList{}, &CertificateDelivery{}, &CertificateDeliveryList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
