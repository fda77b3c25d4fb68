package front

import (
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// conversionGroup is whose kinds these are.
var conversionGroup = schema.GroupVersion{Group: "apiextensions.k8s.io", Version: "v1"}

// CustomResourceDefinition is the part of one that says who converts its objects. Schemas are most of what the API server
// sends of a CRD, a megabyte for some, so a decoder that knows this type alone keeps nothing of them.
// The fields are those of apiextensions-apiserver, pkg/apis/apiextensions/v1/types.go.
type CustomResourceDefinition struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec struct {
		Conversion *Conversion `json:"conversion,omitempty"`
	} `json:"spec"`
}

// Conversion is how objects of a CRD become those of another version. Its Webhook counts where Strategy is Webhook.
type Conversion struct {
	Strategy string `json:"strategy"`
	Webhook  *struct {
		// ClientConfig has the same fields as that of an admission webhook.
		ClientConfig *admissionv1.WebhookClientConfig `json:"clientConfig,omitempty"`
	} `json:"webhook,omitempty"`
}

// CustomResourceDefinitionList is a list of them.
type CustomResourceDefinitionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`

	Items []CustomResourceDefinition `json:"items"`
}

// AddToScheme has clients and caches read CRDs as what this package needs of them. A scheme can hold these or the whole
// types, not both.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(conversionGroup, &CustomResourceDefinition{}, &CustomResourceDefinitionList{})
	metav1.AddToGroupVersion(s, conversionGroup)
	return nil
}

// DeepCopyObject implements [runtime.Object].
func (d *CustomResourceDefinition) DeepCopyObject() runtime.Object {
	out := d.deepCopy()
	return &out
}

func (d *CustomResourceDefinition) deepCopy() CustomResourceDefinition {
	out := *d
	d.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	if d.Spec.Conversion == nil {
		return out
	}
	conversion := *d.Spec.Conversion
	out.Spec.Conversion = &conversion
	if w := conversion.Webhook; w != nil {
		webhook := *w
		webhook.ClientConfig = w.ClientConfig.DeepCopy()
		conversion.Webhook = &webhook
	}
	return out
}

// DeepCopyObject implements [runtime.Object].
func (l *CustomResourceDefinitionList) DeepCopyObject() runtime.Object {
	out := *l
	l.ListMeta.DeepCopyInto(&out.ListMeta)
	out.Items = slices.Clone(l.Items)
	for i := range out.Items {
		out.Items[i] = l.Items[i].deepCopy()
	}
	return &out
}

func newConversion(d *CustomResourceDefinition) *Caller {
	kept := &Caller{ObjectMeta: identity(d), Kind: KindConversion}
	if c := d.Spec.Conversion; c != nil && c.Strategy == "Webhook" && c.Webhook != nil && c.Webhook.ClientConfig != nil {
		kept.webhook(*c.Webhook.ClientConfig)
	}
	return kept
}
