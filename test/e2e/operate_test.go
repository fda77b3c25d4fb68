package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/certwire/certwire/test/harness"
)

// stream writes through the API server until it is stopped, from several goroutines at once: workloads that must come
// back annotated, and Orders that must come back refused. The hook fails open, so a call that failed shows as a
// workload without its annotation; the gate fails closed, so there it shows as another text.
type stream struct {
	cancel   context.CancelFunc
	running  sync.WaitGroup
	writes   atomic.Int64
	mu       sync.Mutex
	failures []string
}

func startStream(t *testing.T, ns string) *stream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &stream{cancel: cancel}
	for worker := range 4 {
		s.running.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				d := deployment(fmt.Sprintf("stream-%d-%d", worker, n), "web-tls")
				out, err := cluster.Client.AppsV1().Deployments(ns).Create(context.WithoutCancel(ctx), d, metav1.CreateOptions{DryRun: []string{"All"}})
				switch {
				case err != nil:
					s.failed("write %d of worker %d: %v", n, worker, err)
				case out.Annotations[reloadKey] != "web-tls":
					s.failed("write %d of worker %d came back without the annotation", n, worker)
				}
				s.writes.Add(1)
			}
		})
	}
	s.running.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			out, err := cluster.Kubectl(context.WithoutCancel(ctx), fmt.Sprintf(`
apiVersion: acme.cert-manager.io/v1
kind: Order
metadata: {name: stream-%d, namespace: %s}
spec: {request: eA==, dnsNames: [web.example.com], issuerRef: {name: letsencrypt-prod, kind: ClusterIssuer}}
`, n, ns), "create", "-f", "-", "--dry-run=server")
			if err == nil || !strings.Contains(out, "would order from ClusterIssuer letsencrypt-prod") {
				s.failed("Order %d was not refused as it should: %s", n, out)
			}
			s.writes.Add(1)
		}
	})
	return s
}

func (s *stream) failed(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, fmt.Sprintf(format, args...))
}

// more waits until this many further writes have gone through.
func (s *stream) more(t *testing.T, n int64) {
	t.Helper()
	goal := s.writes.Load() + n
	eventually(t, "the stream goes on", func() bool { return s.writes.Load() >= goal })
}

func (s *stream) stop(t *testing.T) {
	t.Helper()
	s.cancel()
	s.running.Wait()
	for i, f := range s.failures {
		if i == 5 {
			t.Errorf("and %d more", len(s.failures)-i)
			break
		}
		t.Error(f)
	}
	t.Logf("%d writes, %d failures", s.writes.Load(), len(s.failures))
}

// The tests below change the replicas that all others use, so they do not run beside them.

func TestRestartsUnderAStreamOfWrites(t *testing.T) {
	issuers(t)
	ns := namespace(t, "certwire.dev/reload=auto", "certwire.dev/issuance=deny")
	mustApply(t, ns, certificate("web", "web-tls"))
	known(t, ns, "web-tls")
	s := startStream(t, ns)
	s.more(t, 50)
	for range 2 { // as a rolling update with maxSurge 1 and maxUnavailable 0 does it, twice: each replica once
		replaceOldest(t)
		s.more(t, 50)
	}
	s.stop(t)
}

// replaceOldest starts a replica, waits until it is ready for the service, and ends the oldest with SIGTERM.
func replaceOldest(t *testing.T) {
	t.Helper()
	fresh, err := certwire.Scale(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := fresh.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := certwire.Service.WaitReady(t.Context(), len(certwire.Replicas)); err != nil {
		t.Fatal(err)
	}
	old := certwire.Replicas[0]
	certwire.Replicas = certwire.Replicas[1:]
	old.Terminate()
	<-old.Ended()
	certwire.Service.Remove(old)
	if code := old.ExitCode(); code != 0 {
		t.Errorf("the replica ended with exit code %d", code)
	}
}

func TestRotationUnderAStreamOfWrites(t *testing.T) {
	issuers(t)
	ns := namespace(t, "certwire.dev/reload=auto", "certwire.dev/issuance=deny")
	mustApply(t, ns, certificate("web", "web-tls"))
	known(t, ns, "web-tls")
	bundle := func() string {
		m, err := cluster.Client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(t.Context(), "certwire", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return string(m.Webhooks[0].ClientConfig.CABundle)
	}
	before, leaves := bundle(), servedLeaves(t)
	s := startStream(t, ns)
	s.more(t, 50)
	kubectl(t, "delete", "secret", "certwire-ca", "-n", harness.Namespace)
	eventually(t, "caBundle has the new CA and still the old one", func() bool {
		now := bundle()
		return now != before && strings.Contains(now, strings.TrimSpace(before))
	})
	eventually(t, "every replica serves a leaf of the new CA", func() bool {
		now := servedLeaves(t)
		for address, leaf := range leaves {
			if now[address] == leaf {
				return false
			}
		}
		return true
	})
	s.more(t, 50)
	s.stop(t)
}

func TestNothingServes(t *testing.T) {
	issuers(t)
	ns := namespace(t, "certwire.dev/reload=auto", "certwire.dev/issuance=deny")
	mustApply(t, ns, certificate("web", "web-tls"))
	known(t, ns, "web-tls")
	count := len(certwire.Replicas)
	for _, r := range certwire.Replicas {
		r.Kill()
		certwire.Service.Remove(r)
	}
	certwire.Replicas = nil

	// Workloads and what people apply are let in, Orders wait.
	if a := create(t, ns, deployment("web", "web-tls")).Annotations; a[reloadKey] != "" {
		t.Errorf("annotated by nobody: %v", a)
	}
	mustApply(t, ns, production("web", "letsencrypt-prod"))
	contains(t, refused(t, ns, `
apiVersion: acme.cert-manager.io/v1
kind: Order
metadata: {name: web-1}
spec: {request: eA==, dnsNames: [web.example.com], issuerRef: {name: letsencrypt-prod, kind: ClusterIssuer}}
`), "failed calling webhook")

	for range count {
		if _, err := certwire.Scale(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := certwire.Service.WaitReady(t.Context(), count); err != nil {
		t.Fatal(err)
	}
	eventually(t, "adoption catches up", func() bool { return get(t, ns, "web").Annotations[reloadKey] == "web-tls" })
}

func TestTheConfigurationIsReloaded(t *testing.T) {
	issuers(t)
	ns := namespace(t, "team=prod-eu")
	keepConfiguration(t)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(certwire.ConfigFile(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	denied := func() bool {
		for range 4 { // both replicas
			if _, err := apply(t, ns, production("web", "letsencrypt-prod"), "--dry-run=server"); err == nil {
				return false
			}
		}
		return true
	}
	if denied() {
		t.Fatal("refused by default")
	}
	head := "apiVersion: config.certwire.dev/v1alpha1\nkind: Configuration\n"
	write(head + "issuance: {mode: deny}\n")
	eventually(t, "the new mode is in force", denied)
	write(head + "issuance: {mode: nonsense}\n")
	eventually(t, "the bad file shows in the metric", func() bool {
		return metric(t, certwire.Replicas[0], "certwire_config_last_reload_successful") == "0"
	})
	if !denied() {
		t.Error("the last good configuration is not in force any longer")
	}
	write(head + "issuance: {mode: deny}\nenvironments: {labels: [team], production: [prod-eu]}\n")
	eventually(t, "a mapped label makes it production", func() bool {
		for range 4 {
			if _, err := apply(t, ns, production("web", "letsencrypt-prod"), "--dry-run=server"); err != nil {
				return false
			}
		}
		return true
	})
}

func TestAdoptionIsSwitchedOn(t *testing.T) {
	ns := namespace(t, "certwire.dev/reload=auto")
	keepConfiguration(t)
	const head = "apiVersion: config.certwire.dev/v1alpha1\nkind: Configuration\n"
	if err := certwire.Configure(t.Context(), []byte(head+"adoption: {enabled: false}\n")); err != nil {
		t.Fatal(err)
	}
	create(t, ns, deployment("web", "web-tls"))
	mustApply(t, ns, certificate("web", "web-tls"))
	known(t, ns, "web-tls")
	if a := get(t, ns, "web").Annotations; a[reloadKey] != "" {
		t.Errorf("adopted while that is switched off: %v", a)
	}
	if err := os.WriteFile(certwire.ConfigFile(), []byte(head+"adoption: {enabled: true}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is adopted without anything else happening", func() bool { return get(t, ns, "web").Annotations[reloadKey] == "web-tls" })
}

func TestReloaderIsRead(t *testing.T) {
	ns := namespace(t, "certwire.dev/reload=auto")
	mustApply(t, ns, certificate("web", "web-tls"))
	known(t, ns, "web-tls")
	create(t, ns, deployment("older", "web-tls"))
	d := deployment("reloader", "none")
	d.Spec.Template.Spec.Containers[0].Image = "mirror.example/stakater/reloader:v1.4.21"
	create(t, ns, d)
	text := deploymentText("web", "{}")
	eventually(t, "with Reloader's Deployment there is no warning", func() bool {
		for range 4 {
			if strings.Contains(mustApply(t, ns, text, "--dry-run=server"), "Warning") {
				return false
			}
		}
		return true
	})
	mustApply(t, ns, `
apiVersion: v1
kind: ConfigMap
metadata: {name: reloader-meta-info, labels: {reloader.stakater.com/meta-info: reloader}}
data: {reloaderOptions: '{"secretUpdateOnChangeAnnotation":"corp.example/reload","namespacesToIgnore":["`+ns+`"]}'}
`)
	eventually(t, "renamed keys and filters are honoured", func() bool {
		for range 4 {
			out := mustApply(t, ns, text, "--dry-run=server", "-o", "yaml")
			if !strings.Contains(out, "corp.example/reload: web-tls") ||
				!strings.Contains(out, "Warning: the reload annotation for Secret web-tls has no effect: Reloader ignores this namespace") {
				return false
			}
		}
		return true
	})
	// The policy that restrains certwire knows no renamed key, so adoption must not move the older one; it says so.
	if a := get(t, ns, "older").Annotations; a[reloadKey] != "web-tls" {
		t.Errorf("certwire went past its own restraint: %v", a)
	}
	kubectl(t, "delete", "configmap", "reloader-meta-info", "-n", ns)
	kubectl(t, "delete", "deployment", "reloader", "-n", ns)
	eventually(t, "without Reloader the warning is back", func() bool {
		return strings.Contains(mustApply(t, ns, text, "--dry-run=server"), "Reloader was not found in this cluster")
	})
}

func TestAStolenTokenChangesNoImage(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	create(t, ns, deployment("web"))
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := cluster.ServiceAccountKubeconfig(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	thief, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	patch := func(text string) error {
		_, err := thief.AppsV1().Deployments(ns).Patch(t.Context(), "web", types.StrategicMergePatchType, []byte(text), metav1.PatchOptions{})
		return err
	}
	for sentence, c := range map[string]struct{ patch, want string }{
		"an image":                   {`{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"evil.example/x"}]}}}}`, "never changes the spec"},
		"a replica count":            {`{"spec":{"replicas":7}}`, "never changes the spec"},
		"a template annotation":      {`{"spec":{"template":{"metadata":{"annotations":{"a":"b"}}}}}`, "never changes the spec"},
		"a label":                    {`{"metadata":{"labels":{"a":"b"}}}`, "never changes the labels"},
		"a finalizer":                {`{"metadata":{"finalizers":["example.com/x"]}}`, "never changes the labels, finalizers"},
		"somebody else's annotation": {`{"metadata":{"annotations":{"example.com/x":"y"}}}`, "no annotations of a workload but its own"},
	} {
		if err := patch(c.patch); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want a refusal with %q", sentence, err, c.want)
		}
	}
	if err := patch(`{"metadata":{"annotations":{"certwire.dev/status":"{}","secret.reloader.stakater.com/reload":"x"}}}`); err != nil {
		t.Errorf("its own annotations: %v", err)
	}
	if _, err := thief.CoreV1().Secrets(ns).List(t.Context(), metav1.ListOptions{}); err == nil {
		t.Error("Secrets of another namespace can be listed")
	}
	if _, err := thief.CoreV1().Secrets(harness.Namespace).Get(t.Context(), "other", metav1.GetOptions{}); err == nil || !strings.Contains(err.Error(), "forbidden") {
		t.Errorf("another Secret of its own namespace: %v", err)
	}
	if err := thief.AppsV1().Deployments(ns).Delete(t.Context(), "web", metav1.DeleteOptions{}); err == nil {
		t.Error("a workload can be deleted")
	}
}
