package delivery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/inventory"
	"github.com/certwire/certwire/pkg/mutate"
	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/pkg/reload/spec"
)

// world is a cluster in memory: Certificates, pods, and what each pod serves.
type world struct {
	t      *testing.T
	now    time.Time
	client client.Client
	run    *run

	mu     sync.Mutex
	issued map[string]inventory.Issued // by name
	serves map[string]probe.Leaf       // by the pod's address
	told   []string
	lags   []time.Duration
}

func newWorld(t *testing.T) *world {
	t.Helper()
	scheme, err := inventory.Scheme()
	if err == nil {
		err = v1alpha1.AddToScheme(scheme)
	}
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, now: noon, issued: map[string]inventory.Issued{}, serves: map[string]probe.Leaf{},
		client: fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.CertificateDelivery{}).Build(),
	}
	w.lead()
	return w
}

// lead begins a new time of leading, whose caches hold what is stored now.
func (w *world) lead() {
	w.t.Helper()
	w.run = newRun(&Controller{
		Cluster: w, Client: w.client, Presets: func() map[string]spec.Values { return nil }, Deadline: 2 * time.Minute,
		Dial: w.dial, Log: testr.New(w.t), Now: func() time.Time { return w.now },
		Observe: func(d time.Duration) { w.lags = append(w.lags, d) },
		Tell:    func(_ *corev1.ObjectReference, reason, text string) { w.told = append(w.told, reason+": "+text) },
	})
	w.run.pods = toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, podIndexers)
	w.run.deliveries = toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, nil)
	w.sync()
}

// sync has the caches see what is stored.
func (w *world) sync() {
	w.t.Helper()
	pods, deliveries := &corev1.PodList{}, &v1alpha1.CertificateDeliveryList{}
	w.must(errors.Join(w.client.List(w.t.Context(), pods), w.client.List(w.t.Context(), deliveries)))
	kept, stored := []any{}, []any{}
	for i := range pods.Items {
		kept = append(kept, NewPod(&pods.Items[i]))
	}
	for i := range deliveries.Items {
		stored = append(stored, &deliveries.Items[i])
	}
	w.must(errors.Join(w.run.pods.Replace(kept, ""), w.run.deliveries.Replace(stored, "")))
}

// issue gives a Certificate a leaf, as of now.
func (w *world) issue(name, leaf string) {
	i := w.issued[name]
	w.issued[name] = inventory.Issued{
		Namespace: "shop", Name: name, UID: types.UID("uid-" + name), Secret: name + "-tls", Revision: i.Revision + 1, Leaf: newLeaf(name, leaf, w.now), At: w.now,
	}
}

func newLeaf(name, word string, from time.Time) *probe.Leaf {
	return &probe.Leaf{
		Fingerprint: fingerprint(word), Serial: word, Names: []string{name + ".example.com"}, NotBefore: from, NotAfter: from.Add(90 * 24 * time.Hour),
	}
}

func fingerprint(word string) probe.Fingerprint {
	return probe.Fingerprint(strings.Repeat("0", 64-len(word)) + word)
}

// pod adds one of a Deployment that began an hour ago and serves a leaf; its agent has a method, or it has no agent.
func (w *world) pod(name, method string, serves *probe.Leaf, secrets ...string) {
	w.t.Helper()
	n := len(w.serves) + 1
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-" + name), Labels: map[string]string{"pod-template-hash": "5c"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-5c", UID: "u", Controller: new(true)}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: fmt.Sprintf("10.0.0.%d", n), StartTime: &metav1.Time{Time: w.now.Add(-time.Hour)},
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
	c := corev1.Container{Name: "web", Ports: []corev1.ContainerPort{{ContainerPort: 8443}}}
	for _, secret := range secrets {
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: secret, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: secret}}})
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: secret, MountPath: "/" + secret})
	}
	p.Spec.Containers = []corev1.Container{c}
	if method != "" {
		p.Spec.InitContainers = []corev1.Container{{Name: mutate.AgentName, Env: []corev1.EnvVar{{Name: "CERTWIRE_AGENT", Value: `{"method":"` + method + `"}`}}}}
	}
	w.must(w.client.Create(w.t.Context(), p))
	if serves != nil {
		w.serves[p.Status.PodIP] = *serves
	}
	w.sync()
}

// change changes a pod and what it serves.
func (w *world) change(name string, serves *probe.Leaf, ready bool) {
	w.t.Helper()
	p := &corev1.Pod{}
	w.must(w.client.Get(w.t.Context(), client.ObjectKey{Namespace: "shop", Name: name}, p))
	p.Status.Conditions[0].Status = corev1.ConditionFalse
	if ready {
		p.Status.Conditions[0].Status = corev1.ConditionTrue
	}
	w.must(w.client.Status().Update(w.t.Context(), p))
	w.serves[p.Status.PodIP] = *serves
	w.sync()
}

// word is a pod's annotation.
func (w *world) word(name string) string {
	w.t.Helper()
	p := &corev1.Pod{}
	w.must(w.client.Get(w.t.Context(), client.ObjectKey{Namespace: "shop", Name: name}, p))
	return p.Annotations[spec.DeliverKey]
}

// sweep looks after a Certificate once, a moment later, and returns what is stored then.
func (w *world) sweep(name string) v1alpha1.CertificateDelivery {
	w.t.Helper()
	w.now = w.now.Add(time.Second)
	_, err := w.run.reconcile(w.t.Context(), types.NamespacedName{Namespace: "shop", Name: name})
	w.must(err)
	w.sync()
	d := v1alpha1.CertificateDelivery{}
	w.must(w.client.Get(w.t.Context(), client.ObjectKey{Namespace: "shop", Name: name}, &d))
	return d
}

// says fails the test unless that is what a delivery says.
func (w *world) says(d v1alpha1.CertificateDelivery, want string) {
	w.t.Helper()
	if got := strings.TrimSpace(fmt.Sprintf("%s %s %s", d.Status.State, d.Status.Replicas, d.Status.Cause)); got != want {
		w.t.Errorf("it says %q, want %q", got, want)
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) dial(_ context.Context, to probe.Target) probe.Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	host, _, _ := net.SplitHostPort(to.Address)
	leaf, ok := w.serves[host]
	if !ok {
		return probe.Result{State: probe.Unreachable, Cause: probe.CauseRefused}
	}
	return probe.Result{State: probe.Served, Leaf: leaf}
}

func (w *world) Ready() error    { return nil }
func (w *world) Installed() bool { return true }

func (w *world) Issued(_, name string) (inventory.Issued, bool) {
	i, ok := w.issued[name]
	return i, ok
}

func (w *world) AllIssued() []types.NamespacedName { return nil }

func (w *world) Certificates(_, secret string) []mutate.Certificate {
	if name := strings.TrimSuffix(secret, "-tls"); w.issued[name].Name != "" {
		return []mutate.Certificate{{Name: name}}
	}
	return nil
}
