package front

import (
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// New keeps of an object what this package uses, as *Ingress, *IngressClass, *Service, *Slice, *Gateway, *Grant or *Caller.
// It takes Kubernetes' own types, this package's of CRDs, and for those of the Gateway API and APIServices unstructured
// objects. It returns nil for every other kind.
func New(object any) metav1.Object {
	switch o := object.(type) {
	case *networkingv1.Ingress:
		return newIngress(o)
	case *networkingv1.IngressClass:
		return newIngressClass(o)
	case *corev1.Service:
		return newService(o)
	case *discoveryv1.EndpointSlice:
		return newSlice(o)
	case *admissionv1.ValidatingWebhookConfiguration:
		return newValidating(o)
	case *admissionv1.MutatingWebhookConfiguration:
		return newMutating(o)
	case *CustomResourceDefinition:
		return newConversion(o)
	case *unstructured.Unstructured:
		switch o.GetKind() {
		case KindGateway, KindListenerSet:
			return newGateway(o)
		case KindReferenceGrant:
			return newGrant(o)
		case KindAPIService:
			return newAPIService(o)
		}
	}
	return nil
}

// identity is what a cache needs of any object.
func identity(m metav1.Object) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: m.GetName(), Namespace: m.GetNamespace(), UID: m.GetUID(), ResourceVersion: m.GetResourceVersion(), CreationTimestamp: m.GetCreationTimestamp(),
	}
}

// Ingress is what is kept of one.
type Ingress struct {
	metav1.ObjectMeta
	Class string
	TLS   []IngressTLS
	// Addresses are what the controller has written to its status.
	Addresses []string
}

// IngressTLS is an entry of spec.tls. Its hosts are the rules' where it names none.
type IngressTLS struct {
	Secret string
	Hosts  []string
}

func newIngress(i *networkingv1.Ingress) *Ingress {
	kept := &Ingress{ObjectMeta: identity(i), Class: i.Annotations["kubernetes.io/ingress.class"]}
	if i.Spec.IngressClassName != nil {
		kept.Class = *i.Spec.IngressClassName
	}
	var ruled []string
	for _, r := range i.Spec.Rules {
		if r.Host != "" {
			ruled = append(ruled, r.Host)
		}
	}
	for _, t := range i.Spec.TLS {
		if t.SecretName == "" {
			continue
		}
		hosts := t.Hosts
		if len(hosts) == 0 {
			hosts = ruled
		}
		kept.TLS = append(kept.TLS, IngressTLS{Secret: t.SecretName, Hosts: slices.Clone(hosts)})
	}
	for _, a := range i.Status.LoadBalancer.Ingress {
		kept.Addresses = append(kept.Addresses, addresses(a.IP, a.Hostname)...)
	}
	return kept
}

// Secrets are the names of those that it has served.
func (i *Ingress) Secrets() []string {
	var out []string
	for _, t := range i.TLS {
		out = append(out, t.Secret)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Hosts are those for which it names a Secret.
func (i *Ingress) Hosts() []string {
	var out []string
	for _, t := range i.TLS {
		out = append(out, t.Hosts...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// IngressClass is what is kept of one.
type IngressClass struct {
	metav1.ObjectMeta
	// Service is the annotation certwire.dev/service.
	Service string
	Default bool
}

func newIngressClass(c *networkingv1.IngressClass) *IngressClass {
	return &IngressClass{
		ObjectMeta: identity(c), Service: c.Annotations[ServiceKey], Default: c.Annotations[networkingv1.AnnotationIsDefaultIngressClass] == "true",
	}
}

// Service is what is kept of one.
type Service struct {
	metav1.ObjectMeta
	Ports []ServicePort
	// Addresses are those that the cluster gave it: of its load balancer, and within the cluster. Those that its author
	// wants (spec.externalIPs) are none.
	Addresses []string
	// Gateways are those whose pods its labels say it is for, as namespace/name.
	Gateways []string
}

// ServicePort is one of a Service's TCP ports.
type ServicePort struct {
	Name string
	Port uint16
}

// The labels that implementations of the Gateway API put on what they make for a Gateway: GEP-1762, and Envoy Gateway's
// own, whose Services are in another namespace.
const (
	gatewayLabel        = "gateway.networking.k8s.io/gateway-name"
	envoyNameLabel      = "gateway.envoyproxy.io/owning-gateway-name"
	envoyNamespaceLabel = "gateway.envoyproxy.io/owning-gateway-namespace"
)

func newService(s *corev1.Service) *Service {
	kept := &Service{ObjectMeta: identity(s)}
	for _, p := range s.Spec.Ports {
		if (p.Protocol == "" || p.Protocol == corev1.ProtocolTCP) && p.Port > 0 && p.Port < 1<<16 {
			kept.Ports = append(kept.Ports, ServicePort{Name: p.Name, Port: uint16(p.Port)})
		}
	}
	for _, a := range s.Status.LoadBalancer.Ingress {
		kept.Addresses = append(kept.Addresses, addresses(a.IP, a.Hostname)...)
	}
	for _, ip := range s.Spec.ClusterIPs {
		if ip != corev1.ClusterIPNone {
			kept.Addresses = append(kept.Addresses, addresses(ip)...)
		}
	}
	if name := s.Labels[gatewayLabel]; name != "" {
		kept.Gateways = append(kept.Gateways, s.Namespace+"/"+name)
	}
	if name, namespace := s.Labels[envoyNameLabel], s.Labels[envoyNamespaceLabel]; name != "" && namespace != "" {
		kept.Gateways = append(kept.Gateways, namespace+"/"+name)
	}
	slices.Sort(kept.Gateways)
	kept.Gateways = slices.Compact(kept.Gateways)
	return kept
}

// addresses are the words that are not empty, as they compare.
func addresses(words ...string) []string {
	var out []string
	for _, w := range words {
		if w != "" {
			out = append(out, strings.ToLower(strings.TrimSuffix(w, ".")))
		}
	}
	return out
}

// Slice is what is kept of an EndpointSlice.
type Slice struct {
	metav1.ObjectMeta
	// Service is whose it is.
	Service   string
	Ports     []ServicePort // of the pods
	Endpoints []Endpoint
}

// Endpoint is one of a slice's.
type Endpoint struct {
	// Pod is in the slice's namespace; empty for an endpoint that is none.
	Pod       string
	UID       types.UID
	Addresses []string
	Ready     bool
}

func newSlice(s *discoveryv1.EndpointSlice) *Slice {
	kept := &Slice{ObjectMeta: identity(s), Service: s.Labels[discoveryv1.LabelServiceName]}
	if s.AddressType == discoveryv1.AddressTypeFQDN {
		return kept // names, which nobody dials
	}
	for _, p := range s.Ports {
		if (p.Protocol == nil || *p.Protocol == corev1.ProtocolTCP) && p.Port != nil && *p.Port > 0 && *p.Port < 1<<16 {
			name := ""
			if p.Name != nil {
				name = *p.Name
			}
			kept.Ports = append(kept.Ports, ServicePort{Name: name, Port: uint16(*p.Port)})
		}
	}
	for _, e := range s.Endpoints {
		// What is not known of a condition counts as ready (API documentation of EndpointConditions).
		out := Endpoint{Addresses: e.Addresses, Ready: e.Conditions.Ready == nil || *e.Conditions.Ready}
		if r := e.TargetRef; r != nil && r.Kind == "Pod" && (r.Namespace == "" || r.Namespace == s.Namespace) {
			out.Pod, out.UID = r.Name, r.UID
		}
		kept.Endpoints = append(kept.Endpoints, out)
	}
	return kept
}

// Pods are the names of its pods.
func (s *Slice) Pods() []string {
	var out []string
	for _, e := range s.Endpoints {
		if e.Pod != "" {
			out = append(out, e.Pod)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (s *Slice) port(name string) (uint16, bool) {
	for _, p := range s.Ports {
		if p.Name == name {
			return p.Port, true
		}
	}
	return 0, false
}
