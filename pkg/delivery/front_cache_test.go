package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/certwire/certwire/pkg/front"
)

// object reads one that has no types here.
func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return u
}

func crd(t *testing.T, text string) *front.CustomResourceDefinition {
	t.Helper()
	d := &front.CustomResourceDefinition{}
	if err := json.Unmarshal([]byte(text), d); err != nil {
		t.Fatal(err)
	}
	return d
}

// everything is one of each kind, all of which have to do with the Certificate web and its pod a.
func everything(t *testing.T) map[string]any {
	t.Helper()
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Labels: map[string]string{"gateway.networking.k8s.io/gateway-name": "labelled"}},
		Spec:       corev1.ServiceSpec{ClusterIPs: []string{"10.96.0.1"}, Ports: []corev1.ServicePort{{Name: "https", Port: 443}}},
	}
	return map[string]any{
		"Service": service,
		"EndpointSlice": &discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: "shop", Name: "web-1", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
			AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Name: new("https"), Port: new(int32(8443))}},
			Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.2"}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: "a", UID: "uid-a"}}},
		},
		"IngressClass": &networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{
			Name: "own", Annotations: map[string]string{front.ServiceKey: "shop/web", networkingv1.AnnotationIsDefaultIngressClass: "true"}}},
		"Ingress": &networkingv1.Ingress{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
			Spec:       networkingv1.IngressSpec{TLS: []networkingv1.IngressTLS{{SecretName: "web-tls", Hosts: []string{"web.example.com"}}}},
		},
		front.KindValidating: &admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "v"}, Webhooks: []admissionv1.ValidatingWebhook{{
			ClientConfig: admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: "shop", Name: "web"}}}}},
		front.KindMutating: &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "m"}, Webhooks: []admissionv1.MutatingWebhook{{
			ClientConfig: admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: "shop", Name: "web"}}}}},
		front.KindConversion: crd(t, `{"metadata":{"name":"things.a"},"spec":{"conversion":{"strategy":"Webhook",
			"webhook":{"clientConfig":{"service":{"namespace":"shop","name":"web"}}}}}}`),
		front.KindAPIService: object(t, `{"kind":"APIService","apiVersion":"apiregistration.k8s.io/v1","metadata":{"name":"v1.a"},"spec":{"service":{"namespace":"shop","name":"web"}}}`),
		front.KindGateway: object(t, `{"kind":"Gateway","apiVersion":"gateway.networking.k8s.io/v1","metadata":{"namespace":"infra","name":"edge"},
			"spec":{"listeners":[{"port":443,"tls":{"certificateRefs":[{"name":"web-tls","namespace":"shop"}]}}]},"status":{"addresses":[{"value":"10.96.0.1"}]}}`),
		front.KindListenerSet: object(t, `{"kind":"ListenerSet","apiVersion":"gateway.networking.k8s.io/v1","metadata":{"namespace":"shop","name":"set"},
			"spec":{"parentRef":{"name":"edge","namespace":"infra"},"listeners":[{"port":443,"tls":{"certificateRefs":[{"name":"web-tls"}]}}]}}`),
		front.KindReferenceGrant: object(t, `{"kind":"ReferenceGrant","apiVersion":"gateway.networking.k8s.io/v1","metadata":{"namespace":"shop","name":"grant"},
			"spec":{"from":[{"group":"gateway.networking.k8s.io","kind":"Gateway","namespace":"infra"}],"to":[{"group":"","kind":"Secret"}]}}`),
	}
}

// kindsOf are the kinds of a run, with caches that are there and empty.
func kindsOf(w *world) (*frontCaches, map[string]frontKind) {
	c, out := &frontCaches{pods: w.run.pod}, map[string]frontKind{}
	for _, k := range w.run.frontKinds(c) {
		indexers := toolscache.Indexers{toolscache.NamespaceIndex: toolscache.MetaNamespaceIndexFunc} // as every informer has
		maps.Copy(indexers, k.indexers)
		indexer := toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, indexers)
		k.to.of.Store(&indexer)
		out[k.name] = k
	}
	return c, out
}

func TestTheCachesFindWhatListsFind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issue("web", "1")
	w.pod("a", "", w.issued["web"].Leaf, "web-tls")
	caches, kinds := kindsOf(w)
	pod, ok := caches.Pod("shop", "a")
	if !ok || !slices.Equal(pod.IPs, []string{"10.0.0.2"}) {
		t.Fatalf("the pod is %+v", pod)
	}
	w.fronts.AddPod(pod)
	for name, o := range everything(t) {
		kept, err := strip(o)
		w.must(err)
		w.must((*kinds[name].to.of.Load()).Add(kept))
		if !w.fronts.Add(o) {
			t.Errorf("%s is of no use", name)
		}
	}
	of := front.Certificate{Namespace: "shop", Secret: "web-tls", Names: []string{"web.example.com"}, Pods: []front.Pod{pod}}
	got := front.Of(caches, of)
	if diff := cmp.Diff(front.Of(w.fronts, of), got, cmp.Comparer(func(a, b front.Place) bool {
		return a.Address == b.Address && a.Port == b.Port && a.ServerName == b.ServerName
	})); diff != "" {
		t.Error(diff)
	}
	var names []string
	for _, f := range got {
		if len(f.Replicas) != 1 {
			t.Errorf("%s has %d pods: %s", f.For("shop"), len(f.Replicas), f.Missing)
		}
		names = append(names, f.For("shop"))
	}
	want := []string{"APIService/v1.a", "CustomResourceDefinition/things.a", "Gateway/infra/edge", "Ingress/web", "ListenerSet/set", "MutatingWebhookConfiguration/m", "ValidatingWebhookConfiguration/v"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

// Whatever changes, the Certificate is looked after; and when nothing has changed that counts, it is not.
func TestEachChangeHasTheCertificateLookedAfter(t *testing.T) {
	t.Parallel()
	for name := range everything(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.issue("web", "1")
			w.pod("a", "", w.issued["web"].Leaf, "web-tls")
			_, kinds := kindsOf(w)
			var changed any
			for other, o := range everything(t) {
				kept, err := strip(o)
				w.must(err)
				w.must((*kinds[other].to.of.Load()).Add(kept))
				if other == name {
					changed = kept
				}
			}
			asked := 0
			w.run.queue = &countingQueue{queue: w.run.queue, asked: &asked}
			kinds[name].changed(changed, changed)
			if asked != 0 {
				t.Error("nothing has changed")
			}
			kinds[name].changed(nil, changed)
			if asked == 0 {
				t.Error("it came, and nobody noticed")
			}
			asked = 0
			kinds[name].changed(changed, nil)
			if asked == 0 {
				t.Error("it went, and nobody noticed")
			}
		})
	}
}

// A kind that is not there, or that may not be read, holds nothing up.
func TestKindsThatAreNotThereAreLeftOut(t *testing.T) {
	t.Parallel()
	for sentence, err := range map[string]error{
		"the CRD is missing": &meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: front.GatewayGroup, Kind: front.KindGateway}},
		"it is not served":   apierrors.NewNotFound(schema.GroupResource{Resource: "gateways"}, ""),
		"it is forbidden":    apierrors.NewForbidden(schema.GroupResource{Resource: "gateways"}, "", errors.New("no")),
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tried := 0
			live := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
				tried++
				return err
			}}).Build()
			c := &frontCaches{pods: w.run.pod}
			kinds := w.run.frontKinds(c)
			at := slices.IndexFunc(kinds, func(k frontKind) bool { return k.name == front.KindGateway })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			settled, done := make(chan struct{}), make(chan struct{})
			go func() {
				w.run.watchKind(ctx, nil, live, kinds[at], sync.OnceFunc(func() { close(settled) }))
				close(done)
			}()
			<-settled
			cancel()
			<-done
			if len(c.Gateways("shop", "web-tls")) != 0 || tried == 0 || (strings.Contains(sentence, "forbidden")) != (tried == 1) {
				t.Errorf("tried %d times", tried) // an older version, where that is not the matter
			}
		})
	}
}

// countingQueue counts what is added.
type countingQueue struct {
	queue

	asked *int
}

func (q *countingQueue) AddAfter(types.NamespacedName, time.Duration) { *q.asked++ }
