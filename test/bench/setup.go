package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/certwire/certwire/test/harness"
)

// bench is one run.
type bench struct {
	options       *options
	cluster       *harness.Cluster
	out, progress io.Writer
	log           io.Writer
	folder        string
	started       time.Time

	certwire *harness.Certwire
	binary   string // what its replicas run
	noop     *noop
	objects  map[object]template
	filling  filling

	// added is certwire's added median latency of the object that needs the annotation, by step.
	added []added
	// sent counts the requests that the webhooks may be called for, by object.
	sent map[contender]map[object]int
}

const (
	contenderLabel = "bench.certwire.dev/contender"
	name           = "certwire-bench"
	// memoryLimit is the Deployment's, which it hands to the process as GOMEMLIMIT.
	memoryLimit = "256MiB"
)

//go:embed objects/policy.yaml
var policyYAML string

func (b *bench) setUp(ctx context.Context) error {
	b.sent = map[contender]map[object]int{noopWebhook: {}, constantPatch: {}, certwire: {}}
	if _, err := b.cluster.Client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(ctx, "certwire", metav1.GetOptions{}); err == nil {
		return errors.New("this cluster has certwire already; the benchmark needs one to spare")
	}
	binary, err := harness.Build(ctx, b.progress, "bench-noop", "./test/bench/noop")
	if err != nil {
		return err
	}
	if _, err := harness.Build(ctx, b.progress, "webhook", "./cmd/webhook"); err != nil {
		return err
	}
	if err := os.Setenv("GOMEMLIMIT", memoryLimit); err != nil { // for the processes that follow
		return fmt.Errorf("limiting memory: %w", err)
	}
	b.certwire, err = harness.Deploy(ctx, b.cluster, b.log, 1, "--ca-publish-delay=1s")
	if err != nil {
		return err
	}
	if err := b.keepBinary(); err != nil {
		return err
	}
	if b.noop, err = startNoop(ctx, binary, b.progress); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{b.callStraight, b.chargeRestraint, b.namespaces, b.registerNoop, b.reloader} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if _, err := b.cluster.Kubectl(ctx, policyYAML, "apply", "-f", "-"); err != nil {
		return err
	}
	return b.prepareObjects(ctx)
}

// keepBinary copies what is measured: the one in the cache changes when somebody builds another version meanwhile, which
// may need permissions that this cluster's manifests do not give.
func (b *bench) keepBinary() error {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/exe", b.certwire.Replicas[0].PID()))
	if err != nil {
		return fmt.Errorf("reading the replica's binary: %w", err)
	}
	b.binary = filepath.Join(b.folder, "webhook")
	if err := os.WriteFile(b.binary, raw, 0o700); err != nil {
		return fmt.Errorf("keeping the replica's binary: %w", err)
	}
	return nil
}

// callStraight points the mutating configuration past the harness's stand-in for a Service: no other contender has one.
func (b *bench) callStraight(ctx context.Context) error {
	configurations := b.cluster.Client.AdmissionregistrationV1().MutatingWebhookConfigurations()
	m, err := configurations.Get(ctx, "certwire", metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("reading certwire's configuration: %w", err)
	}
	_, port, err := net.SplitHostPort(b.certwire.Replicas[0].Address)
	if err != nil {
		return fmt.Errorf("reading the replica's address: %w", err)
	}
	var ops []map[string]any
	for i, w := range m.Webhooks {
		path := strings.TrimPrefix(*w.ClientConfig.URL, b.certwire.Service.URL())
		ops = append(ops, map[string]any{"op": "replace", "path": fmt.Sprintf("/webhooks/%d/clientConfig/url", i),
			"value": "https://" + net.JoinHostPort(harness.Host(), port) + path})
	}
	raw, err := json.Marshal(ops)
	if err != nil {
		return fmt.Errorf("encoding a patch: %w", err)
	}
	if _, err := configurations.Patch(ctx, "certwire", types.JSONPatchType, raw, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("pointing certwire's configuration at the replica: %w", err)
	}
	return nil
}

// chargeRestraint limits the manifests' policy, which holds for the whole cluster, to certwire's namespace: what it costs
// is certwire's, not everybody's.
func (b *bench) chargeRestraint(ctx context.Context) error {
	patch := `{"spec":{"matchResources":{"namespaceSelector":{"matchLabels":{"` + contenderLabel + `":"` + string(certwire) + `"}}}}}`
	_, err := b.cluster.Client.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().
		Patch(ctx, "certwire-restraint", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("limiting certwire's restraint: %w", err)
	}
	return nil
}

func (b *bench) namespaces(ctx context.Context) error {
	for _, c := range contenders {
		labels := map[string]string{contenderLabel: string(c), "certwire.dev/issuance": "off"}
		if c == certwire {
			labels["certwire.dev/reload"] = "auto"
		}
		if err := b.namespace(ctx, c.namespace(), labels); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) namespace(ctx context.Context, namespace string, labels map[string]string) error {
	_, err := b.cluster.Client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: labels},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("creating namespace %s: %w", namespace, err)
	}
	return nil
}

func (b *bench) registerNoop(ctx context.Context) error {
	scope := admissionregistrationv1.NamespacedScope
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, c := range []contender{noopWebhook, constantPatch} {
		configuration.Webhooks = append(configuration.Webhooks, admissionregistrationv1.MutatingWebhook{
			Name:         string(c) + ".bench.certwire.dev",
			ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: new(b.noop.url + "/" + string(c)), CABundle: b.noop.ca},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
				Rule: admissionregistrationv1.Rule{
					APIGroups: []string{"apps"}, APIVersions: []string{"v1"},
					Resources: []string{"deployments", "statefulsets", "daemonsets"}, Scope: &scope,
				},
			}},
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{contenderLabel: string(c)}},
			FailurePolicy:           ptr.To(admissionregistrationv1.Fail),
			ReinvocationPolicy:      ptr.To(admissionregistrationv1.IfNeededReinvocationPolicy),
			SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNone),
			TimeoutSeconds:          ptr.To[int32](3),
			AdmissionReviewVersions: []string{"v1"},
		})
	}
	_, err := b.cluster.Client.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(ctx, configuration, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("registering the no-op: %w", err)
	}
	return nil
}

// reloader lets certwire find a Reloader, as it does where the annotation is of use; otherwise it would warn each time.
func (b *bench) reloader(ctx context.Context) error {
	_, err := b.cluster.Client.CoreV1().ConfigMaps(noWebhook.namespace()).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "reloader-meta-info"}, Data: map[string]string{"reloaderOptions": "{}"},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("publishing Reloader's options: %w", err)
	}
	return nil
}

// takeDown removes what is outside a cluster of our own, and ends the processes.
func (b *bench) takeDown(ctx context.Context) error {
	var problems []error
	if os.Getenv("KUBECONFIG") != "" {
		_, err := b.cluster.Kubectl(ctx, "", "delete", "--ignore-not-found", "namespaces", "-l", contenderLabel)
		problems = append(problems, err)
		_, err = b.cluster.Kubectl(ctx, policyYAML, "delete", "--ignore-not-found", "-f", "-")
		problems = append(problems, err)
		err = b.cluster.Client.AdmissionregistrationV1().MutatingWebhookConfigurations().Delete(ctx, name, metav1.DeleteOptions{})
		if !apierrors.IsNotFound(err) {
			problems = append(problems, err)
		}
		if b.certwire != nil {
			_, err = b.cluster.Kubectl(ctx, "", "delete", "--ignore-not-found", "-k", "manifests/")
			problems = append(problems, err)
		}
	}
	if b.certwire != nil {
		b.certwire.Stop()
	}
	if b.noop != nil {
		b.noop.stop()
	}
	return errors.Join(problems...)
}

// noop is the process of folder noop.
type noop struct {
	url string
	ca  []byte

	command *exec.Cmd
	input   io.Closer
	output  *bufio.Reader
}

func startNoop(ctx context.Context, binary string, progress io.Writer) (*noop, error) {
	port, err := harness.FreePort()
	if err != nil {
		return nil, err
	}
	n := &noop{command: exec.CommandContext(context.WithoutCancel(ctx), binary, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))}
	n.command.Stderr = progress
	n.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if n.input, err = n.command.StdinPipe(); err != nil {
		return nil, fmt.Errorf("starting the no-op: %w", err)
	}
	out, err := n.command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the no-op: %w", err)
	}
	if err := n.command.Start(); err != nil {
		return nil, fmt.Errorf("starting the no-op: %w", err)
	}
	n.output = bufio.NewReader(out)
	line, err := n.output.ReadString('\n')
	if err != nil {
		return n, fmt.Errorf("starting the no-op: %w", err)
	}
	url, ca, _ := strings.Cut(strings.TrimSpace(line), " ")
	n.url = url
	if n.ca, err = base64.StdEncoding.DecodeString(ca); err != nil {
		return n, fmt.Errorf("reading the no-op's CA: %w", err)
	}
	return n, nil
}

// stop ends it and returns how often it was called. It may be called twice.
func (n *noop) stop() int {
	if n.input == nil {
		return 0
	}
	_ = n.input.Close()
	n.input = nil
	line, _ := n.output.ReadString('\n')
	_ = n.command.Process.Signal(syscall.SIGTERM)
	_ = n.command.Wait()
	calls, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return 0
	}
	return calls
}
