package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/certwire/certwire/test/harness"
)

// buffer is a log that is read while it is written.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// servedLeaves dials every replica and returns the fingerprints of what it serves.
func servedLeaves(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, r := range certwire.Replicas {
		out[r.Address] = servedLeaf(t, r)
	}
	return out
}

func servedLeaf(t *testing.T, r *harness.Replica) string {
	t.Helper()
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // only what is served matters here
	conn, err := d.DialContext(t.Context(), "tcp", r.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sum := sha256.Sum256(conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw)
	return hex.EncodeToString(sum[:])
}

// metric returns the value of a metric without labels.
func metric(t *testing.T, r *harness.Replica, name string) string {
	t.Helper()
	for line := range strings.Lines(fetch(t, "http://"+r.Metrics+"/metrics")) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			return value
		}
	}
	return ""
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestMetrics(t *testing.T) {
	ns := namespace(t, "certwire.dev/reload=auto")
	mustApply(t, ns, certificate("web", "web-tls"))
	known(t, ns, "web-tls")
	var all strings.Builder
	for _, r := range certwire.Replicas {
		all.WriteString(fetch(t, "http://"+r.Metrics+"/metrics"))
	}
	contains(t, all.String(),
		`certwire_decisions_total{dry_run="true",hook="reload",operation="create",reason="annotated",verdict="patch"}`,
		"certwire_review_seconds_bucket{hook=\"reload\"", "certwire_serving_certificate_not_after_seconds ",
		"certwire_ca_not_after_seconds ", `certwire_objects{kind="Certificate"}`, "certwire_build_info{version=",
		"certwire_config_last_reload_successful 1")
}

// TestNoCallWithoutASecret counts the calls that the API server makes: a workload that refers to no Secret costs none.
func TestNoCallWithoutASecret(t *testing.T) {
	ns := namespace(t, "certwire.dev/reload=auto")
	mustApply(t, ns, certificate("web", "web-tls"))
	known(t, ns, "web-tls")
	calls := func() (n int) {
		for _, r := range certwire.Replicas {
			for line := range strings.Lines(fetch(t, "http://"+r.Metrics+"/metrics")) {
				var c int
				if _, err := fmt.Sscanf(line, `certwire_review_seconds_count{hook="reload"} %d`, &c); err == nil {
					n += c
				}
			}
		}
		return n
	}
	before := calls()
	for i := range 5 {
		create(t, ns, deployment(fmt.Sprintf("plain-%d", i)))
	}
	if after := calls(); after != before {
		t.Errorf("%d calls for workloads without a Secret", after-before)
	}
	create(t, ns, deployment("tls", "web-tls"))
	if after := calls(); after == before {
		t.Error("the count counts nothing")
	}
}

func TestABadConfigurationIsRefusedAtStart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte("apiVersion: config.certwire.dev/v1alpha1\nkind: Configuration\nissuance: {mode: x, rule: y}\nadoption: {burst: many}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), certwire.Binary(), "--config", path, "--kubeconfig", cluster.Kubeconfig).CombinedOutput()
	var exit *exec.ExitError
	if !asExit(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("got %v: %s", err, out)
	}
	contains(t, string(out), "has 3 problems", "issuance.mode", "issuance.rule", "adoption.burst")
}

func asExit(err error, to **exec.ExitError) bool {
	exit, ok := err.(*exec.ExitError) //nolint:errorlint // exec returns it unwrapped
	*to = exit
	return ok
}

func TestAnAPIServerThatIsAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	port, err := harness.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, fmt.Appendf(nil, `
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://127.0.0.1:%d"}}]
users: [{name: u, user: {token: t}}]
`, port), 0o600); err != nil {
		t.Fatal(err)
	}
	var log buffer
	r, err := harness.StartReplica(t.Context(), harness.ReplicaOptions{
		Binary: certwire.Binary(), Kubeconfig: kubeconfig, Config: certwire.ConfigFile(), Log: &log, Args: []string{"--shutdown-delay=0s"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Kill()
	eventually(t, "it says so", func() bool { return strings.Contains(log.String(), "The API server did not answer, trying again") })
	if got := fetch(t, "http://"+r.Health+"/healthz"); got != "ok" {
		t.Errorf("liveness: %q", got)
	}
	if r.Ready(t.Context()) {
		t.Error("ready without an API server")
	}
	contains(t, fetch(t, "http://"+r.Health+"/readyz?verbose"), "[-]caches failed", "[-]serving-certificate failed")
	r.Terminate()
	<-r.Ended()
	if code := r.ExitCode(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, log.String())
	}
}

func TestACertificateThatIsBroughtAlong(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"own.example"}}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	crt, pem8, kubeconfig := filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key"), filepath.Join(folder, "kubeconfig")
	for path, block := range map[string]*pem.Block{crt: {Type: "CERTIFICATE", Bytes: der}, pem8: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := cluster.ServiceAccountKubeconfig(t.Context(), kubeconfig); err != nil {
		t.Fatal(err)
	}
	var log buffer
	r, err := harness.StartReplica(t.Context(), harness.ReplicaOptions{
		Binary: certwire.Binary(), Kubeconfig: kubeconfig, Config: certwire.ConfigFile(), Log: &log,
		Args: []string{"--shutdown-delay=0s", "--tls-cert-file", crt, "--tls-private-key-file", pem8},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	if err := r.WaitReady(ctx); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	want := sha256.Sum256(der)
	if got := servedLeaf(t, r); got != hex.EncodeToString(want[:]) {
		t.Error("it serves another certificate than the one that was brought along")
	}
}

// TestPermissionsThatAreMissingAreNamed runs a replica as somebody who may do nothing: it waits, and says what for.
func TestPermissionsThatAreMissingAreNamed(t *testing.T) {
	t.Parallel()
	config, err := clientcmd.LoadFromFile(cluster.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range config.AuthInfos {
		user.Impersonate = "nobody"
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
		t.Fatal(err)
	}
	var log buffer
	r, err := harness.StartReplica(t.Context(), harness.ReplicaOptions{
		Binary: certwire.Binary(), Kubeconfig: kubeconfig, Config: certwire.ConfigFile(), Log: &log, Args: []string{"--shutdown-delay=0s"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Kill()
	eventually(t, "the log names what may not be listed", func() bool {
		return strings.Contains(log.String(), "orders.acme.cert-manager.io is forbidden") && strings.Contains(log.String(), "deployments.apps is forbidden")
	})
	if r.Ready(t.Context()) {
		t.Error("ready without its caches")
	}
}

// TestTheBinaryRunsAsTheImageRunsIt runs a replica with nothing but its own files: a root folder that it cannot write to
// and in which there is only the static binary, as user 65532.
func TestTheBinaryRunsAsTheImageRunsIt(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("needs root to change root and user; CI runs as root")
	}
	root := t.TempDir()
	if err := os.Chmod(filepath.Dir(root), 0o755); err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(root, "kubeconfig")
	if err := cluster.ServiceAccountKubeconfig(t.Context(), kubeconfig); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{certwire.Binary(): "webhook", certwire.ConfigFile(): "config.yaml", kubeconfig: "kubeconfig"} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, to), text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(root, to), 0o555); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(root, 0o555); err != nil {
		t.Fatal(err)
	}
	var log buffer
	r, err := harness.StartReplica(t.Context(), harness.ReplicaOptions{
		Binary: "/webhook", Kubeconfig: "/kubeconfig", Config: "/config.yaml", Log: &log, Args: []string{"--shutdown-delay=0s"},
		Process: &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532, NoSetGroups: false}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	if err := r.WaitReady(ctx); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	r.Terminate()
	<-r.Ended()
	if code := r.ExitCode(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, log.String())
	}
}

// TestTheRenderedManifestIsCurrent keeps manifests/install.yaml equal to what kustomize makes of the folder.
func TestTheRenderedManifestIsCurrent(t *testing.T) {
	t.Parallel()
	want := kubectl(t, "kustomize", "manifests/")
	got, err := os.ReadFile("../../manifests/install.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("manifests/install.yaml is not current: run make generate")
	}
	containsNot(t, want, "caBundle:")
}

// TestCertManagerComesLater starts certwire in a cluster without cert-manager's CRDs, which then appear.
func TestCertManagerComesLater(t *testing.T) {
	t.Parallel()
	if os.Getenv("KUBECONFIG") != "" {
		t.Skip("needs a cluster of its own; CI sets no KUBECONFIG")
	}
	var log buffer
	bare, err := harness.Start(t.Context(), &log, "--no-crds")
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	defer bare.Stop()
	deployed, err := harness.Deploy(t.Context(), bare, &log, 1, "--shutdown-delay=0s", "--ca-publish-delay=0s")
	if deployed != nil {
		defer deployed.Stop()
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	contains(t, log.String(), "Not installed in this cluster yet, waiting")
	crds := strings.Split(strings.TrimSpace(kubectl(t, "get", "crd", "-o", "name")), "\n")
	var names []string
	for _, name := range crds {
		if strings.Contains(name, "cert-manager.io") {
			names = append(names, name)
		}
	}
	text := kubectl(t, append([]string{"get", "-o", "yaml"}, names...)...)
	if out, err := bare.Kubectl(t.Context(), text, "create", "-f", "-"); err != nil {
		t.Fatal(out, err)
	}
	eventually(t, "certwire sees them", func() bool { return strings.Contains(log.String(), `kinds="Certificates and issuers"`) })
	if out, err := bare.Kubectl(t.Context(), "", "create", "namespace", "shop"); err != nil {
		t.Fatal(out, err)
	}
	if out, err := bare.Kubectl(t.Context(), "", "label", "namespace", "shop", "certwire.dev/reload=auto"); err != nil {
		t.Fatal(out, err)
	}
	if out, err := bare.Kubectl(t.Context(), certificate("web", "web-tls"), "apply", "-n", "shop", "-f", "-"); err != nil {
		t.Fatal(out, err)
	}
	if out, err := bare.Kubectl(t.Context(), deploymentText("web", "{}"), "apply", "-n", "shop", "-f", "-"); err != nil {
		t.Fatal(out, err)
	}
	eventually(t, "the workload is annotated", func() bool {
		out, err := bare.Kubectl(t.Context(), "", "get", "deployment", "web", "-n", "shop", "-o", "jsonpath={.metadata.annotations}")
		return err == nil && strings.Contains(out, `"secret.reloader.stakater.com/reload":"web-tls"`)
	})
}
