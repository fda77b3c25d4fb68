package walk

import (
	"context"
	"errors"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/front"
)

// world is the cluster as package front asks for it: what nobody asks for is not read. It is for one walk, and not for
// concurrent use.
type world struct {
	*front.Lists

	ctx    context.Context //nolint:containedctx // front is pure and knows none; a world is for one walk
	client client.Client
	// home is the Certificate's namespace, which stands for all where the caller may not list in all.
	home   string
	loaded map[string]bool
	pods   map[string]*corev1.Pod
	// unseen is told what could not be read.
	unseen func(what string, err error, instead string)
}

func newWorld(ctx context.Context, l *look) *world {
	return &world{
		Lists: &front.Lists{}, ctx: ctx, client: l.cluster, home: l.certificate.Namespace, loaded: map[string]bool{}, pods: map[string]*corev1.Pod{}, unseen: l.unseen,
	}
}

var _ front.Cluster = (*world)(nil)

// load lists objects of a kind, once. In all namespaces, or else in the Certificate's, unless one is named.
func (w *world) load(what string, list client.ObjectList, namespace, instead string) {
	key := what + " " + namespace
	if w.loaded[key] {
		return
	}
	w.loaded[key] = true
	err := w.client.List(w.ctx, list, client.InNamespace(namespace))
	if err != nil && apierrors.IsForbidden(err) && namespace == "" {
		err = errors.Join(err, w.client.List(w.ctx, list, client.InNamespace(w.home)))
	}
	switch {
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err), runtime.IsNotRegisteredError(err):
		return // a kind that this cluster does not have
	case err != nil:
		w.unseen(what, err, instead)
	}
	_ = meta.EachListItem(list, func(o runtime.Object) error {
		w.Add(o)
		return nil
	})
}

// others lists objects of a kind that no Go type is here for.
func (w *world) others(what string, kind schema.GroupVersionKind, instead string) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	w.load(what, list, "", instead)
}

const gatewayGroup = "gateway.networking.k8s.io"

func (w *world) loadIngresses() {
	w.load("Ingresses", &networkingv1.IngressList{}, "", "those in other namespaces that may be served in its place are not known")
}

func (w *world) loadGateways() {
	const instead = "whether one uses the Secret is not known"
	w.others("Gateways", schema.GroupVersionKind{Group: gatewayGroup, Version: "v1", Kind: front.KindGateway}, instead)
	w.others("ListenerSets", schema.GroupVersionKind{Group: gatewayGroup, Version: "v1", Kind: front.KindListenerSet}, instead)
}

func (w *world) loadServices() {
	w.load("Services", &corev1.ServiceList{}, "", "whose pods serve an Ingress or a Gateway may not be known")
}

// Ingresses implements [front.Cluster].
func (w *world) Ingresses(namespace, secret string) []*front.Ingress {
	w.loadIngresses()
	return w.Lists.Ingresses(namespace, secret)
}

// IngressesFor implements [front.Cluster].
func (w *world) IngressesFor(host string) []*front.Ingress {
	w.loadIngresses()
	return w.Lists.IngressesFor(host)
}

// IngressClasses implements [front.Cluster].
func (w *world) IngressClasses() []*front.IngressClass {
	w.load("IngressClasses", &networkingv1.IngressClassList{}, "", "which Service they name is not known")
	return w.Lists.IngressClasses()
}

// Gateways implements [front.Cluster].
func (w *world) Gateways(namespace, secret string) []*front.Gateway {
	w.loadGateways()
	return w.Lists.Gateways(namespace, secret)
}

// Gateway implements [front.Cluster].
func (w *world) Gateway(namespace, name string) *front.Gateway {
	w.loadGateways()
	return w.Lists.Gateway(namespace, name)
}

// Grants implements [front.Cluster].
func (w *world) Grants(namespace string) []*front.Grant {
	w.others("ReferenceGrants", schema.GroupVersionKind{Group: gatewayGroup, Version: "v1beta1", Kind: front.KindReferenceGrant}, "Gateways in other namespaces are left out")
	return w.Lists.Grants(namespace)
}

// Callers implements [front.Cluster].
func (w *world) Callers(namespace, service string) []*front.Caller {
	const instead = "whether one of them calls these pods is not known"
	w.load("ValidatingWebhookConfigurations", &admissionv1.ValidatingWebhookConfigurationList{}, "", instead)
	w.load("MutatingWebhookConfigurations", &admissionv1.MutatingWebhookConfigurationList{}, "", instead)
	w.load("CustomResourceDefinitions", &front.CustomResourceDefinitionList{}, "", instead)
	w.others("APIServices", schema.GroupVersionKind{Group: "apiregistration.k8s.io", Version: "v1", Kind: front.KindAPIService}, instead)
	return w.Lists.Callers(namespace, service)
}

// Service implements [front.Cluster].
func (w *world) Service(namespace, name string) *front.Service {
	w.loadServices()
	return w.Lists.Service(namespace, name)
}

// ServicesAt implements [front.Cluster].
func (w *world) ServicesAt(address string) []*front.Service {
	w.loadServices()
	return w.Lists.ServicesAt(address)
}

// ServicesOf implements [front.Cluster].
func (w *world) ServicesOf(namespace, gateway string) []*front.Service {
	w.loadServices()
	return w.Lists.ServicesOf(namespace, gateway)
}

// Slices implements [front.Cluster].
func (w *world) Slices(namespace, service string) []*front.Slice {
	w.loadSlices(namespace)
	return w.Lists.Slices(namespace, service)
}

// SlicesOf implements [front.Cluster].
func (w *world) SlicesOf(namespace, pod string) []*front.Slice {
	w.loadSlices(namespace)
	return w.Lists.SlicesOf(namespace, pod)
}

func (w *world) loadSlices(namespace string) {
	w.load("EndpointSlices of Namespace "+namespace, &discoveryv1.EndpointSliceList{}, namespace, "which pods are behind its Services is not known")
}

// Pod implements [front.Cluster].
func (w *world) Pod(namespace, name string) (front.Pod, bool) {
	p := w.pod(namespace, name)
	if p == nil || p.Status.Phase != corev1.PodRunning {
		return front.Pod{}, false
	}
	return frontPod(p), true
}

// pod reads a pod, once; nil when it is not there, or may not be read.
func (w *world) pod(namespace, name string) *corev1.Pod {
	key := client.ObjectKey{Namespace: namespace, Name: name}
	if p, ok := w.pods[key.String()]; ok {
		return p
	}
	p := &corev1.Pod{}
	if err := w.client.Get(w.ctx, key, p); err != nil {
		if apierrors.IsForbidden(err) && !w.loaded["Pod "+namespace] {
			w.loaded["Pod "+namespace] = true
			w.unseen("the pods of Namespace "+namespace, err, "what is behind its Services is not known")
		}
		p = nil
	}
	w.pods[key.String()] = p
	return p
}

func frontPod(p *corev1.Pod) front.Pod {
	out := front.Pod{Namespace: p.Namespace, Name: p.Name, UID: p.UID}
	for _, ip := range p.Status.PodIPs {
		out.IPs = append(out.IPs, ip.IP)
	}
	if len(out.IPs) == 0 && p.Status.PodIP != "" {
		out.IPs = []string{p.Status.PodIP}
	}
	return out
}
