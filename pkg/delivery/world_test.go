package delivery

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/diagnose"
	"github.com/certwire/certwire/pkg/front"
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
	chains map[string][]*x509.Certificate
	fronts *front.Lists
	dials  []probe.Target
	told   []string
	lags   map[Stage][]time.Duration
	rolled []string
	facts  map[string]diagnose.Facts // what is known of issuances, by name
	// secrets are those that a cache holds; nil where they are not read.
	secrets toolscache.Indexer
	ips     int // that were given away
	// workloads are those that the inventory knows of, by their keys.
	workloads map[inventory.WorkloadKey]*inventory.Workload
}

func newWorld(t *testing.T) *world {
	t.Helper()
	scheme, err := inventory.Scheme()
	if err == nil {
		err = errors.Join(v1alpha1.AddToScheme(scheme), front.AddToScheme(scheme))
	}
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, now: noon, issued: map[string]inventory.Issued{}, serves: map[string]probe.Leaf{},
		chains: map[string][]*x509.Certificate{}, fronts: &front.Lists{}, lags: map[Stage][]time.Duration{},
		workloads: map[inventory.WorkloadKey]*inventory.Workload{},
		client:    fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.CertificateDelivery{}).Build(),
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
		Rollouts: true,
		Observe:  func(stage Stage, d time.Duration) { w.lags[stage] = append(w.lags[stage], d) },
		Rolled:   func(outcome string) { w.rolled = append(w.rolled, outcome) },
		Tell:     func(_ *corev1.ObjectReference, reason, text string) { w.told = append(w.told, reason+": "+text) },
	})
	w.run.fronts = w.fronts
	w.run.pods = toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, podIndexers)
	w.run.deliveries = toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, deliveryIndexers)
	if w.secrets != nil {
		w.run.secrets = newSecrets(w.secrets, func() bool { return true })
	}
	w.run.disruptions = toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, disruptionIndexers)
	w.sync()
}

// readSecrets begins a time of leading in which Secrets are read.
func (w *world) readSecrets() {
	w.secrets = toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, secretIndexers)
	w.lead()
}

// sync has the caches see what is stored.
func (w *world) sync() {
	w.t.Helper()
	pods, deliveries, budgets := &corev1.PodList{}, &v1alpha1.CertificateDeliveryList{}, &policyv1.PodDisruptionBudgetList{}
	w.must(errors.Join(w.client.List(w.t.Context(), pods), w.client.List(w.t.Context(), deliveries), w.client.List(w.t.Context(), budgets)))
	kept, stored, lean := []any{}, []any{}, []any{}
	for i := range budgets.Items {
		lean = append(lean, stripDisruptions(&budgets.Items[i]))
	}
	for i := range pods.Items {
		p, err := strip(&pods.Items[i])
		w.must(err)
		kept = append(kept, p)
	}
	for i := range deliveries.Items {
		stored = append(stored, &deliveries.Items[i])
	}
	w.must(errors.Join(w.run.pods.Replace(kept, ""), w.run.deliveries.Replace(stored, ""), w.run.disruptions.Replace(lean, "")))
}

// issue gives a Certificate a leaf, as of now.
func (w *world) issue(name, leaf string) {
	w.mu.Lock()
	defer w.mu.Unlock()
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
	w.podIn("shop", name, method, serves, secrets...)
}

func (w *world) podIn(namespace, name, method string, serves *probe.Leaf, secrets ...string) {
	w.t.Helper()
	w.ips++
	n := w.ips
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID("uid-" + name), Labels: map[string]string{"pod-template-hash": "5c"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-5c", UID: "u", Controller: new(true)}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: fmt.Sprintf("10.0.%d.%d", n/250, n%250+1), StartTime: &metav1.Time{Time: w.now.Add(-time.Hour)},
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
	p.Status.PodIPs = []corev1.PodIP{{IP: p.Status.PodIP}}
	c := corev1.Container{Name: "web", Ports: []corev1.ContainerPort{{ContainerPort: 8443}}}
	for _, secret := range secrets {
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: secret, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: secret}}})
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: secret, MountPath: "/" + secret})
	}
	p.Spec.Containers = []corev1.Container{c}
	if method != "" {
		p.Spec.InitContainers = []corev1.Container{{Name: mutate.AgentName, Env: []corev1.EnvVar{{Name: "CERTWIRE_AGENT", Value: `{"method":"` + method + `"}`}}}}
	}
	for i := range p.Spec.Containers {
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: p.Spec.Containers[i].Name, State: corev1.ContainerState{
			Running: &corev1.ContainerStateRunning{StartedAt: *p.Status.StartTime},
		}})
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
	w.changeIn("shop", name, serves, ready)
}

func (w *world) changeIn(namespace, name string, serves *probe.Leaf, ready bool) {
	w.t.Helper()
	p := &corev1.Pod{}
	w.must(w.client.Get(w.t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, p))
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
	return w.wordIn("shop", name)
}

func (w *world) wordIn(namespace, name string) string {
	w.t.Helper()
	p := &corev1.Pod{}
	w.must(w.client.Get(w.t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, p))
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
	w.dials = append(w.dials, to)
	host, _, _ := net.SplitHostPort(to.Address)
	leaf, ok := w.serves[host]
	if !ok {
		return probe.Result{State: probe.Unreachable, Cause: probe.CauseRefused}
	}
	return probe.Result{State: probe.Served, Leaf: leaf, Certificates: w.chains[host]}
}

func (w *world) Ready() error    { return nil }
func (w *world) Installed() bool { return true }

func (w *world) Issued(_, name string) (inventory.Issued, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i, ok := w.issued[name]
	return i, ok
}

func (w *world) Workload(key inventory.WorkloadKey) *inventory.Workload { return w.workloads[key] }

func (w *world) AllIssued() (all []types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range w.issued {
		all = append(all, types.NamespacedName{Namespace: i.Namespace, Name: i.Name})
	}
	return all
}

func (w *world) Certificates(namespace, secret string) []mutate.Certificate {
	w.mu.Lock()
	defer w.mu.Unlock()
	if name := strings.TrimSuffix(secret, "-tls"); namespace == "shop" && w.issued[name].Name != "" {
		return []mutate.Certificate{{Name: name}}
	}
	return nil
}
