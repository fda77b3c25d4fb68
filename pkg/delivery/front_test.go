package delivery

import (
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/certwire/certwire/pkg/front"
	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/test/pki"
)

// ingress adds one for the Certificate web, or another Secret, to the cluster.
func (w *world) ingress(name, secret string, age time.Duration, address string) {
	w.ingressIn("shop", name, secret, age, address)
}

func (w *world) ingressIn(namespace, name, secret string, age time.Duration, address string) {
	i := &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(name), CreationTimestamp: metav1.NewTime(w.now.Add(-age))},
		Spec:       networkingv1.IngressSpec{TLS: []networkingv1.IngressTLS{{Hosts: []string{"web.example.com"}, SecretName: secret}}},
	}
	if address != "" {
		i.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: address}}
	}
	w.fronts.Add(i)
}

// controller adds an Ingress controller whose pods serve leaves; nil for one that does not answer.
func (w *world) controller(serves ...*probe.Leaf) {
	w.t.Helper()
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "infra", Name: "controller"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "https", Port: 443}}}}
	s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "203.0.113.7"}}
	w.fronts.Add(s)
	w.behind(s, 8443, func() (pods []*corev1.Pod) {
		for i, leaf := range serves {
			p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "infra", Name: fmt.Sprintf("c-%d", i), UID: types.UID(fmt.Sprintf("uid-c-%d", i))}}
			p.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIPs: []corev1.PodIP{{IP: fmt.Sprintf("10.1.0.%d", i)}}, StartTime: &metav1.Time{Time: w.now.Add(-time.Hour)}}
			w.must(w.client.Create(w.t.Context(), p))
			if leaf != nil {
				w.serves[p.Status.PodIPs[0].IP] = *leaf
			}
			pods = append(pods, p)
		}
		return pods
	}())
	w.sync()
}

// behind puts pods behind the port of a Service.
func (w *world) behind(s *corev1.Service, port int32, pods []*corev1.Pod) {
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name, Labels: map[string]string{discoveryv1.LabelServiceName: s.Name}},
		AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Name: new(s.Spec.Ports[0].Name), Port: new(port)}},
	}
	for _, p := range pods {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{p.Status.PodIPs[0].IP}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: p.Namespace, Name: p.Name, UID: p.UID},
		})
		w.fronts.AddPod(front.Pod{Namespace: p.Namespace, Name: p.Name, UID: p.UID, IPs: []string{p.Status.PodIPs[0].IP}})
	}
	w.fronts.Add(slice)
}

// madeUp is what ingress-nginx makes up when it has no certificate.
var madeUp = &probe.Leaf{Fingerprint: "f", Serial: "f", Names: []string{"Kubernetes Ingress Controller Fake Certificate"}}

func TestWhatAnIngressControllerServes(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		prepare func(w *world, current, previous *probe.Leaf)
		says    string
		layer   string
		message []string
	}{
		"the newest certificate, with no pod that mounts it": {
			func(w *world, current, _ *probe.Leaf) { w.controller(current, current) }, "Delivered 2/2", "", nil},
		"what it served before": {
			func(w *world, current, previous *probe.Leaf) { w.controller(current, previous) },
			"Stale 1/2 controller-stale", "front", []string{"pod infra/c-1, which serves Ingress/web, serves serial 1 at 8443=web.example.com: the controller has not taken up the Secret"}},
		"what it makes up without one": {
			func(w *world, _, _ *probe.Leaf) { w.controller(madeUp) },
			"Stale 0/1 default-certificate", "front", []string{"infra/c-0", "serial f", "that is what a controller makes up"}},
		"another Certificate's": {
			func(w *world, _, _ *probe.Leaf) {
				w.issue("other", "9")
				w.controller(w.issued["other"].Leaf)
			}, "Stale 0/1 shadowed", "front", []string{"serial 9", "of Certificate shop/other"}},
		"a newer one of another Certificate's for the same names": {
			func(w *world, _, _ *probe.Leaf) {
				w.now = w.now.Add(time.Minute)
				w.issue("other", "9")
				w.issued["other"].Leaf.Names = []string{"web.example.com"}
				w.controller(w.issued["other"].Leaf)
			}, "Stale 0/1 shadowed", "front", []string{"of Certificate shop/other"}},
		"an older Ingress's": {
			func(w *world, _, _ *probe.Leaf) {
				w.ingress("first", "hand-made", 24*time.Hour, "203.0.113.7")
				w.controller(newLeaf("web", "8", w.now.Add(-time.Hour)))
			}, "Stale 0/1 shadowed", "front", []string{"of Ingress/shop/first: that comes before"}},
		"nothing, for nobody knows who it is": {
			func(*world, *probe.Leaf, *probe.Leaf) {}, "Unverified 0/1 no-controller", "front",
			[]string{"Ingress/web: no Service has its address 203.0.113.7; ", "certwire.dev/service"}},
		"nothing that certwire can see": {
			func(w *world, current, _ *probe.Leaf) { w.controller(current, nil) },
			"Unverified 1/2 unreachable", "front", []string{"pod infra/c-1, which serves Ingress/web, at 8443=web.example.com (refused): no certificate was seen"}},
		"the newest, and a pod that mounts it does, too": {
			func(w *world, current, _ *probe.Leaf) {
				w.controller(current)
				w.pod("a", "", current, "web-tls")
			}, "Delivered 2/2", "", nil},
		"what it served before, as a pod that mounts it does: the pod is nearer to the Secret": {
			func(w *world, _, previous *probe.Leaf) {
				w.controller(previous)
				w.pod("a", "", previous, "web-tls")
			}, "Stale 0/2 reload-missing", "pod", []string{"pod shop/a serves serial 1 at 8443: it has not taken up"}},
		"what it served before, and the pod is up to date": {
			func(w *world, current, previous *probe.Leaf) {
				w.controller(previous)
				w.pod("a", "", current, "web-tls")
			}, "Stale 1/2 controller-stale", "front", []string{"infra/c-0"}},
		"what it served before, and a pod cannot be seen: what diverges counts": {
			func(w *world, _, previous *probe.Leaf) {
				w.controller(previous)
				w.pod("a", "", nil, "web-tls")
			}, "Stale 0/2 controller-stale", "front", nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.issue("web", "1")
			previous := w.issued["web"].Leaf
			w.sweep("web")
			w.now = w.now.Add(24 * time.Hour)
			w.issue("web", "2")
			w.ingress("web", "web-tls", time.Hour, "203.0.113.7")
			c.prepare(w, w.issued["web"].Leaf, previous)
			w.sweep("web")
			w.now = w.now.Add(time.Hour)
			w.sweep("web")
			d := w.sweep("web")
			w.says(d, c.says)
			if d.Status.Layer != c.layer || (d.Status.Message == "") != (c.layer == "") {
				t.Errorf("layer %q, message %q", d.Status.Layer, d.Status.Message)
			}
			for _, part := range c.message {
				if !strings.Contains(d.Status.Message, part) {
					t.Errorf("%q is not in %q", part, d.Status.Message)
				}
			}
			w.now = w.now.Add(time.Hour)
			if again := w.sweep("web"); again.ResourceVersion != d.ResourceVersion {
				t.Errorf("written although nothing has changed: %q, then %q", d.Status.Message, again.Status.Message)
			}
			for _, e := range d.Status.Endpoints {
				if (e.Namespace == "infra") != (e.For == "Ingress/web" && e.Pod != "") {
					t.Errorf("endpoint %+v", e)
				}
			}
		})
	}
}

// A controller takes its time to know of an Ingress, and serves what it makes up until then.
func TestAnIngressThatIsNewIsNotStale(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issue("web", "1")
	w.now = w.now.Add(24 * time.Hour)
	w.ingress("web", "web-tls", time.Second, "203.0.113.7")
	w.controller(madeUp)
	w.says(w.sweep("web"), "Delivering 0/1 default-certificate")
	w.now = w.now.Add(time.Hour)
	w.says(w.sweep("web"), "Stale 0/1 default-certificate")
}

// Once its controller is known, what was unverified is looked at until that has had its time, and not in five minutes.
func TestWhatWasUnverifiedIsLookedAtSoon(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issue("web", "1")
	w.now = w.now.Add(24 * time.Hour)
	w.ingress("web", "web-tls", time.Hour, "203.0.113.7")
	w.sweep("web")
	w.now = w.now.Add(time.Hour)
	w.says(w.sweep("web"), "Unverified 0/1 no-controller")
	w.controller(madeUp)
	w.run.pods.List()[0].(*Pod).Started = w.now
	next, err := w.run.reconcile(t.Context(), types.NamespacedName{Namespace: "shop", Name: "web"})
	w.must(err)
	if next > lastSweep {
		t.Errorf("it is looked at again after %s", next)
	}
}

// What is a pod's own is done for pods that use the Secret alone.
func TestControllersAreNotPoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issue("web", "1")
	w.ingress("web", "web-tls", time.Hour, "203.0.113.7")
	w.controller(w.issued["web"].Leaf)
	w.sweep("web")
	w.says(w.sweep("web"), "Delivered 1/1")
	w.now = w.now.Add(time.Hour)
	w.issue("web", "2")
	w.says(w.sweep("web"), "Delivering 0/1 controller-stale")
	p := &corev1.Pod{}
	w.must(w.client.Get(t.Context(), types.NamespacedName{Namespace: "infra", Name: "c-0"}, p))
	if len(p.Annotations) > 0 {
		t.Errorf("annotated: %v", p.Annotations)
	}
	w.serves["10.1.0.0"] = *w.issued["web"].Leaf
	w.sweep("web")
	d := w.sweep("web")
	w.says(d, "Delivered 1/1")
	if d.Status.Lag == "" {
		t.Error("nothing was timed")
	}
}

// A pod that gets the name and address of one that was proven is another.
func TestANewControllerPodIsProvenAnew(t *testing.T) {
	t.Parallel()
	var s sweeps
	if s.add("x", []string{"uid-1 Ingress/web"}, true) != 1 || s.add("x", []string{"uid-1 Ingress/web"}, true) != 2 ||
		s.add("x", []string{"uid-2 Ingress/web"}, true) != 1 || s.add("x", []string{"uid-2 Ingress/other"}, true) != 1 {
		t.Error("they were taken for the same")
	}
}

func TestWhatCallersTrust(t *testing.T) {
	t.Parallel()
	ca, stranger := pki.NewAuthority(t), pki.NewAuthority(t)
	names := []string{"hook.shop.svc"}
	leaf, other, elsewhere := ca.Leaf(t, names), stranger.Leaf(t, names), stranger.Leaf(t, []string{"else.example.com"})
	during := elsewhere.Chain[0].NotBefore.Add(time.Minute) // when all of them are valid
	bundle := func(p pki.Pair) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Chain[len(p.Chain)-1].Raw})
	}
	for sentence, c := range map[string]struct {
		bundle []byte
		serves pki.Pair
		says   string
		layer  string
	}{
		"what is served":                                     {bundle(leaf), leaf, "Delivered 2/2", ""},
		"another authority":                                  {bundle(other), leaf, "Stale 1/2 ca-bundle", "front"},
		"nothing that can be read":                           {[]byte("x"), leaf, "Stale 1/2 ca-bundle", "front"},
		"the system's roots, which nobody checks":            {nil, leaf, "Delivered 2/2", ""},
		"what is served, though it is no Certificate's":      {bundle(other), other, "Stale 0/2 reload-missing", "pod"},
		"nothing of it, and it is no Certificate's either":   {bundle(leaf), other, "Stale 0/2 reload-missing", "pod"},
		"something that has nothing to do with the names":    {bundle(leaf), elsewhere, "Stale 0/2 foreign", "pod"},
		"a certificate of other names, from where it begins": {bundle(elsewhere), elsewhere, "Stale 0/2 foreign", "pod"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.now = during
			w.issue("web", "1")
			i := w.issued["web"]
			i.Leaf = new(probe.NewLeaf(leaf.Chain[0]))
			w.issued["web"] = i
			served := probe.NewLeaf(c.serves.Chain[0])
			w.pod("hook", "", &served, "web-tls")
			p := &corev1.Pod{}
			w.must(w.client.Get(t.Context(), types.NamespacedName{Namespace: "shop", Name: "hook"}, p))
			p.Annotations = map[string]string{"certwire.dev/verify": "9443"}
			w.must(w.client.Update(t.Context(), p))
			w.sync()
			w.chains[p.Status.PodIP] = c.serves.Chain
			s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "hook"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 443}}}}
			w.fronts.Add(s)
			w.behind(s, 9443, []*corev1.Pod{p})
			w.fronts.Add(&admissionv1.ValidatingWebhookConfiguration{
				ObjectMeta: metav1.ObjectMeta{Name: "checks"},
				Webhooks: []admissionv1.ValidatingWebhook{{ClientConfig: admissionv1.WebhookClientConfig{
					Service: &admissionv1.ServiceReference{Namespace: "shop", Name: "hook"}, CABundle: c.bundle,
				}}},
			})
			w.sweep("web")
			w.now = w.now.Add(time.Hour)
			w.sweep("web")
			d := w.sweep("web")
			w.says(d, c.says)
			if d.Status.Layer != c.layer {
				t.Errorf("layer %q: %s", d.Status.Layer, d.Status.Message)
			}
			if d.Status.Cause == string(CABundle) && !strings.Contains(d.Status.Message, "which ValidatingWebhookConfiguration/checks calls, serves serial "+served.Serial[:8]) {
				t.Errorf("message %q", d.Status.Message)
			}
		})
	}
}

// Where nobody says at which port a pod serves TLS, its Services do.
func TestServicesTellThePort(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issue("web", "1")
	i := w.issued["web"]
	i.Leaf.Names = []string{"web.example.com", "web.shop.svc"}
	w.pod("a", "", i.Leaf, "web-tls")
	p := &corev1.Pod{}
	w.must(w.client.Get(t.Context(), types.NamespacedName{Namespace: "shop", Name: "a"}, p))
	p.Spec.Containers[0].Ports = nil
	w.must(w.client.Update(t.Context(), p))
	w.sync()
	w.now = w.now.Add(time.Hour)
	w.sweep("web")
	w.now = w.now.Add(time.Hour)
	w.says(w.sweep("web"), "Unverified 0/1 no-port")
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 443}}}}
	w.fronts.Add(s)
	w.behind(s, 6443, []*corev1.Pod{p})
	w.sweep("web")
	w.says(w.sweep("web"), "Delivered 1/1")
	if last := w.dials[len(w.dials)-1]; last.Address != p.Status.PodIP+":6443" || last.ServerName != "web.shop.svc" {
		t.Errorf("dialled %+v", last)
	}
}

func TestMessagesAreBounded(t *testing.T) {
	t.Parallel()
	r := replica(Previous)
	r.Pod, r.Endpoints[0].Serial, r.Endpoints[0].Shadow = strings.Repeat("p", 253), strings.Repeat("f", 4000), "Ingress/"+strings.Repeat("n", 317)
	r.For = "Ingress/" + strings.Repeat("i", 253)
	for c := range help {
		if got := message(strings.Repeat("n", 63), c, &r); len(got) > maxMessage || strings.Contains(got, "\n") {
			t.Errorf("%s: %d bytes", c, len(got))
		}
	}
}

// A wildcard certificate is copied to where each team's Ingresses are.
func TestAnIngressThatNamesACopyIsLookedAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.readSecrets()
	w.issue("web", "1")
	old := w.issued["web"].Leaf
	w.secret("shop", "web-tls", old, allowed)
	w.secret("edge", "copy", old, reflects)
	w.fronts.Add(&networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: "edge", Name: "site", UID: "site"},
		Spec:       networkingv1.IngressSpec{TLS: []networkingv1.IngressTLS{{Hosts: []string{"web.example.com"}, SecretName: "copy"}}},
		Status: networkingv1.IngressStatus{LoadBalancer: networkingv1.IngressLoadBalancerStatus{
			Ingress: []networkingv1.IngressLoadBalancerIngress{{IP: "203.0.113.7"}}}},
	})
	w.controller(old)
	w.sweep("web")
	d := w.sweep("web")
	w.says(d, "Delivered 1/1")
	if e := d.Status.Endpoints[0]; e.For != "Ingress/edge/site" || e.Namespace != "infra" {
		t.Errorf("%+v", e)
	}
	w.now = w.now.Add(time.Hour)
	w.issue("web", "2")
	w.secret("shop", "web-tls", w.issued["web"].Leaf, allowed)
	w.sweep("web")
	w.now = w.now.Add(time.Hour)
	w.says(w.sweep("web"), "Stale 0/1 mirror-stale") // the controller can do nothing about that
	w.secret("edge", "copy", w.issued["web"].Leaf, reflects)
	w.sweep("web")
	w.now = w.now.Add(time.Hour)
	w.says(w.sweep("web"), "Stale 0/1 controller-stale")
}
