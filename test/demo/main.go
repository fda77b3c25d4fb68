package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/certwire/certwire/test/harness"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

// run plays the story and waits for Ctrl-C.
func run(ctx context.Context) error {
	// Ctrl-C ends the waiting; what was started is then stopped in order, so it does not hear of it.
	background := context.WithoutCancel(ctx)
	folder, err := os.MkdirTemp("", "certwire-demo-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(folder)
	cluster, node, err := start(background, os.Stderr, folder)
	if err != nil {
		return err
	}
	defer cluster.Stop()
	log, err := os.Create(filepath.Join(folder, "certwire.log"))
	if err != nil {
		return fmt.Errorf("making the log: %w", err)
	}
	defer log.Close()
	fmt.Fprintln(os.Stderr, "demo: building certwire and installing it")
	certwire, err := install(background, cluster, log, os.Stdout)
	if certwire != nil {
		defer certwire.Stop(made...)
	}
	if err != nil {
		return err
	}
	certManager, err := perform(ctx, cluster, certwire, node, os.Stderr, os.Stdout)
	defer certManager.Stop()
	if err != nil {
		return err
	}
	fmt.Printf("# The cluster stays until Ctrl-C. To try it by hand, in another terminal:\nexport KUBECONFIG=%s PATH=%s\n# certwire's log: %s\n",
		cluster.Kubeconfig, path(cluster), log.Name())
	<-ctx.Done()
	return nil
}

// perform plays everything. On a cluster that is not ours, the part with a CA is left out: it may have a cert-manager.
// Where there is no node, the part with pods is.
func perform(ctx context.Context, c *harness.Cluster, certwire *harness.Certwire, node bool, progress, out io.Writer) (*harness.CertManager, error) {
	if err := play(ctx, c, out, story); err != nil {
		return nil, err
	}
	certManager, err := harness.StartCertManager(ctx, c, progress)
	switch {
	case errors.Is(err, harness.ErrNotOurs):
		fmt.Fprintln(progress, "demo: the part with a CA is left out:", err)
		return nil, nil
	case err != nil:
		return nil, err
	}
	if err := withCA(ctx, c, certwire, certManager); err != nil {
		return certManager, err
	}
	if err := play(ctx, c, out, budgets); err != nil || !node {
		return certManager, err
	}
	return certManager, play(ctx, c, out, inPods)
}

// authority is what certwire is told of the ACME server.
const authority = `authorities:
- name: Demo CA
  production: [%q]
  renewalExemption: 2880h
  limits:
    newOrders: {count: 300, period: 3h}
    certificatesPerDomain: {count: 50, period: 168h}
    certificatesPerSet: {count: 5, period: 168h}
    failedAuthorizations: {count: 5, period: 1h}
`

// ingressClass is the one that the issuer's solver names. Nothing serves it: the ACME server validates without asking.
const ingressClass = `---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: none}
spec: {controller: example.com/none}
`

// withCA makes an issuer at the ACME server, and tells certwire of its limits.
func withCA(ctx context.Context, c *harness.Cluster, certwire *harness.Certwire, certManager *harness.CertManager) error {
	config, err := os.ReadFile(certwire.ConfigFile())
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	if err := certwire.Configure(ctx, fmt.Appendf(config, authority, certManager.ACME(0))); err != nil {
		return err
	}
	if _, err := c.Kubectl(ctx, certManager.ClusterIssuer("demo-ca", 0)+ingressClass, "apply", "-f", "-"); err != nil {
		return fmt.Errorf("making an issuer at the ACME server: %w", err)
	}
	_, err = c.Kubectl(ctx, "", "wait", "--for=condition=Ready", "--timeout=2m", "clusterissuer/demo-ca")
	return err
}

// install deploys certwire with deliveries, and shows the command that did it. kubectl finds its plugin beside the replicas'
// binary.
func install(ctx context.Context, c *harness.Cluster, log, out io.Writer) (*harness.Certwire, error) {
	if _, err := harness.Build(ctx, log, "kubectl-certwire", "./cmd/kubectl-certwire"); err != nil {
		return nil, err
	}
	const overlay = "manifests/overlays/delivery"
	installed, err := c.Kubectl(ctx, "", "apply", "-k", overlay)
	if err != nil {
		return nil, fmt.Errorf("installing certwire: %w", err)
	}
	certwire, err := harness.Deploy(ctx, c, log, 2, "--ca-publish-delay=1s", "--shutdown-delay=0s", "--delivery")
	if err != nil {
		return certwire, err
	}
	_, err = fmt.Fprintf(out, "# Install certwire, and have it take renewals to the wire.\n$ kubectl apply -k %s\n%s\n", overlay, installed)
	return certwire, err
}
