package agent

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/test/pki"
	"github.com/certwire/certwire/test/pods"
)

const (
	// pollEvery is the time between two looks at what is waited for; the API server is asked less often.
	pollEvery    = 50 * time.Millisecond
	pollAPIEvery = 250 * time.Millisecond
	// patience ends a wait that cannot succeed any more; a busy machine stays far below it.
	patience = 5 * time.Minute
	// host is the name that all leaves are for.
	host = "web.example.com"
	// deliverKey is the annotation that makes the kubelet look at once, and permits a restart.
	deliverKey = "certwire.dev/deliver"
)

// rig is a namespace with a certificate Secret and one pod that uses it.
type rig struct {
	t         *testing.T
	namespace string
	server    pods.Server
	authority *pki.Authority
	issued    int
	// first is what the Secret held when the pod started.
	first pki.Pair
	// pod is as it was when it became ready.
	pod *corev1.Pod
}

// prepare makes a namespace of a Pod Security level, its Secret and what the server wants.
func prepare(t *testing.T, s pods.Server, level string) *rig {
	t.Helper()
	r := &rig{t: t, server: s, authority: pki.NewAuthority(t)}
	ns, err := cluster.Client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "agent-",
		Labels:       map[string]string{"pod-security.kubernetes.io/enforce": level, "certwire.dev/reload": "auto"},
	}}, metav1.CreateOptions{})
	r.must(err)
	r.namespace = ns.Name
	t.Cleanup(func() { // its pod would go on to take part of the machine
		_ = cluster.Client.CoreV1().Namespaces().Delete(context.Background(), ns.Name, metav1.DeleteOptions{})
	})
	r.eventually(pollAPIEvery, "the namespace's ServiceAccount", func(ctx context.Context) error {
		_, err := cluster.Client.CoreV1().ServiceAccounts(ns.Name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	r.certificate()
	r.first = r.leaf()
	_, err = cluster.Client.CoreV1().Secrets(ns.Name).Create(t.Context(), r.secret(r.first.Files()), metav1.CreateOptions{})
	r.must(err)
	_, err = cluster.Client.CoreV1().ConfigMaps(ns.Name).Create(t.Context(), pods.ConfigMap(s.Config), metav1.CreateOptions{})
	r.must(err)
	r.known()
	return r
}

// deploy runs a server's pod in a restricted namespace and waits until it serves.
func deploy(t *testing.T, s pods.Server) *rig {
	t.Helper()
	r := prepare(t, s, "restricted")
	r.start(s.Pod())
	return r
}

// start creates the pod, into which the webhook injects the agent, and waits until it serves the first leaf.
func (r *rig) start(p *corev1.Pod) {
	r.t.Helper()
	made, warnings, err := r.create(r.t.Context(), p)
	r.must(err)
	if !hasAgent(made) {
		r.t.Fatalf("the agent was not injected: %q", warnings)
	}
	r.await(p.Name)
}

// create creates a pod, and returns it with what the one who makes it is warned of.
func (r *rig) create(ctx context.Context, p *corev1.Pod, dryRun ...string) (*corev1.Pod, []string, error) {
	r.t.Helper()
	var heard heard
	config := rest.CopyConfig(cluster.Rest)
	config.WarningHandler = &heard
	client, err := kubernetes.NewForConfig(config)
	r.must(err)
	made, err := client.CoreV1().Pods(r.namespace).Create(ctx, p, metav1.CreateOptions{DryRun: dryRun})
	return made, heard, err
}

// heard collects the warnings of one request.
type heard []string

// HandleWarningHeader implements [rest.WarningHandler].
func (h *heard) HandleWarningHeader(_ int, _, text string) { *h = append(*h, text) }

func hasAgent(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == agentContainer })
}

// known waits until the webhook has heard of the Certificate: its cache is behind by milliseconds.
func (r *rig) known() {
	r.t.Helper()
	probe := asked("POST :9090/reload").Pod()
	r.eventually(pollAPIEvery, "the webhook to know of the Certificate", func(ctx context.Context) error {
		made, warnings, err := r.create(ctx, probe, metav1.DryRunAll)
		if err == nil && !hasAgent(made) {
			err = fmt.Errorf("it does not inject, and says %q", warnings)
		}
		return err
	})
}

// await waits until the pod is ready and serves the first leaf.
func (r *rig) await(name string) {
	r.t.Helper()
	r.eventually(pollAPIEvery, "the pod", func(ctx context.Context) error {
		now, err := cluster.Client.CoreV1().Pods(r.namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, c := range now.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				r.pod = now
				return nil
			}
		}
		return fmt.Errorf("it is not ready: %+v %+v", now.Status.InitContainerStatuses, now.Status.ContainerStatuses)
	})
	r.served(r.first)
}

// settle waits until the agent has seen the server serve, and is willing to signal a process that began so long ago.
func (r *rig) settle() {
	r.t.Helper()
	const grace = 6 * time.Second
	r.said("endpoints are known")
	r.eventually(pollAPIEvery, "the server to have run a while", func(context.Context) error {
		if age := time.Since(r.pod.Status.ContainerStatuses[0].State.Running.StartedAt.Time); age < grace {
			return fmt.Errorf("it runs for %s", age)
		}
		return nil
	})
}

// certificate makes the Certificate that names the Secret. No controller runs: the tests write the Secret.
func (r *rig) certificate() {
	r.t.Helper()
	client, err := dynamic.NewForConfig(cluster.Rest)
	r.must(err)
	resource := schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: "certificates"}
	_, err = client.Resource(resource).Namespace(r.namespace).Create(r.t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": map[string]any{"name": "web"},
		"spec": map[string]any{
			"secretName": pods.SecretName, "dnsNames": []any{host},
			"issuerRef": map[string]any{"name": "none", "kind": "Issuer", "group": "other.example.com"},
		},
	}}, metav1.CreateOptions{})
	r.must(err)
}

// leaf issues a leaf that is newer than the ones before.
func (r *rig) leaf() pki.Pair {
	r.t.Helper()
	r.issued++
	return r.authority.Leaf(r.t, []string{host}, pki.From(time.Now().Add(-2*time.Hour+time.Duration(r.issued)*time.Minute)))
}

func (r *rig) secret(files map[string][]byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: pods.SecretName, Namespace: r.namespace}, Type: corev1.SecretTypeTLS, Data: files,
	}
}

// write replaces the Secret's content.
func (r *rig) write(files map[string][]byte) {
	r.t.Helper()
	_, err := cluster.Client.CoreV1().Secrets(r.namespace).Update(r.t.Context(), r.secret(files), metav1.UpdateOptions{})
	r.must(err)
}

// annotate patches the pod, which makes the kubelet look after it at once.
func (r *rig) annotate(key, value string) {
	r.t.Helper()
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, key, value)
	_, err := cluster.Client.CoreV1().Pods(r.namespace).Patch(r.t.Context(), r.pod.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	r.must(err)
}

// poke makes the kubelet look, and permits nothing.
func (r *rig) poke() {
	r.t.Helper()
	r.annotate("certwire.test/poke", strconv.FormatInt(time.Now().UnixNano(), 10))
}

// permit annotates the pod as the controller does.
func (r *rig) permit(p pki.Pair) {
	r.t.Helper()
	r.annotate(deliverKey, string(probe.FingerprintOf(p.Chain[0].Raw)))
}

// replace writes a new leaf and permits it.
func (r *rig) replace() pki.Pair {
	r.t.Helper()
	next := r.leaf()
	r.write(next.Files())
	r.permit(next)
	return next
}

// wire is the serial that the pod serves now.
func (r *rig) wire(ctx context.Context) (string, error) {
	result := probe.Dial(ctx, probe.Target{
		Address: r.address(strconv.Itoa(int(r.server.Port))), ServerName: host, StartTLS: r.server.Protocol, Timeout: 10 * time.Second,
	})
	if result.State != probe.Served {
		return "", fmt.Errorf("the server is %s: %s: %w", result.State, result.Cause, result.Err)
	}
	return result.Leaf.Serial, nil
}

// served waits until a handshake with the pod shows a leaf.
func (r *rig) served(p pki.Pair) {
	r.t.Helper()
	r.eventually(pollEvery, "the leaf on the wire", func(ctx context.Context) error {
		serial, err := r.wire(ctx)
		if want := fmt.Sprintf("%x", p.Chain[0].SerialNumber); err == nil && serial != want {
			err = fmt.Errorf("serial %s is served, want %s", serial, want)
		}
		return err
	})
}

// stillServes fails the test unless a handshake shows the leaf right now.
func (r *rig) stillServes(p pki.Pair) {
	r.t.Helper()
	if serial, err := r.wire(r.t.Context()); err != nil || serial != fmt.Sprintf("%x", p.Chain[0].SerialNumber) {
		r.t.Errorf("serial %s is served (%v), want %x", serial, err, p.Chain[0].SerialNumber)
	}
}

func (r *rig) address(port string) string { return net.JoinHostPort(r.pod.Status.PodIP, port) }

// ask asks our own server.
func (r *rig) ask(method, path string) (string, error) {
	request, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.address(pods.TestPort)+path, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// tell has our own server do something.
func (r *rig) tell(path string) {
	r.t.Helper()
	_, err := r.ask(http.MethodPost, path)
	r.must(err)
}

// answers waits until our own server answers so.
func (r *rig) answers(path, want string) {
	r.t.Helper()
	r.eventually(pollEvery, path, func(context.Context) error {
		body, err := r.ask(http.MethodGet, path)
		if err == nil && body != want {
			err = fmt.Errorf("it answers %q, want %q", body, want)
		}
		return err
	})
}

// status is the pod's now; it fails the test when it is another pod.
func (r *rig) status() *corev1.Pod {
	r.t.Helper()
	now, err := cluster.Client.CoreV1().Pods(r.namespace).Get(r.t.Context(), r.pod.Name, metav1.GetOptions{})
	r.must(err)
	if now.UID != r.pod.UID || now.Status.PodIP != r.pod.Status.PodIP {
		r.t.Fatalf("the pod was replaced: %s at %s, before %s at %s", now.UID, now.Status.PodIP, r.pod.UID, r.pod.Status.PodIP)
	}
	return now
}

// restarts waits until every container, of all kinds, has restarted so often as is wanted of its name, or of "".
func (r *rig) restarts(want map[string]int32) {
	r.t.Helper()
	r.eventually(pollAPIEvery, "the restarts to be counted", func(context.Context) error {
		now := r.status()
		var wrong []string
		for _, s := range append(now.Status.InitContainerStatuses, now.Status.ContainerStatuses...) {
			expected, named := want[s.Name]
			if !named {
				expected = want[""]
			}
			if s.RestartCount != expected {
				wrong = append(wrong, fmt.Sprintf("%s %d times, want %d", s.Name, s.RestartCount, expected))
			}
		}
		if len(wrong) > 0 {
			return fmt.Errorf("restarted: %s", strings.Join(wrong, ", "))
		}
		return nil
	})
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// eventually waits until condition returns nil; on the way out it shows the agent's log.
func (r *rig) eventually(every time.Duration, what string, condition func(context.Context) error) {
	r.t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(r.t.Context(), every, patience, true, func(ctx context.Context) (bool, error) {
		err := condition(ctx)
		if err == nil || last == nil || ctx.Err() == nil { // an end of patience says nothing of what was waited for
			last = err
		}
		return err == nil, nil
	})
	if err != nil {
		r.t.Fatalf("waiting for %s: %v: %v\n%s", what, err, last, r.shown())
	}
}
