// Package issuance tests certwire with a real cert-manager that orders from real ACME servers (Pebble), as
// test/certmanager runs them: what reaches the CA is counted there and nowhere else.
//
// It has a cluster of its own, and is apart from test/e2e, because cert-manager's controllers take every object in
// their cluster for theirs: the tests there write the status of Certificates and Orders by hand, and their issuers name
// real CAs.
package issuance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/test/harness"
)

// The ACME servers by number, and the ClusterIssuers for them by name. The configuration makes production of two, gives
// one of these Let's Encrypt's limits, and the other limits that refill while a test waits.
const (
	staging, production, quick = 0, 1, 2

	stagingIssuer, productionIssuer, quickIssuer = "pebble-staging", "pebble-production", "pebble-quick"
)

// authorities is their part of the configuration.
const authorities = `authorities:
- {name: Staging, staging: [%q]}
- name: Production
  production: [%q]
  renewalExemption: 2880h
  limits:
    newOrders: {count: 300, period: 3h}
    certificatesPerDomain: {count: 50, period: 168h}
    certificatesPerSet: {count: 5, period: 168h}
    failedAuthorizations: {count: 5, period: 1h}
- name: Quick
  production: [%q]
  renewalExemption: 2880h
  limits:
    certificatesPerDomain: {count: 6, period: 12h}
    certificatesPerSet: {count: 2, period: 40s}
`

var (
	cluster     *harness.Cluster
	certManager *harness.CertManager
	certwire    *harness.Certwire
	objects     client.Client
)

func TestMain(m *testing.M) {
	ctx, cancel := context.WithTimeout(context.Background(), 45*time.Minute)
	defer cancel()
	os.Exit(run(ctx, m))
}

func run(ctx context.Context, m *testing.M) int {
	if os.Getenv("KUBECONFIG") != "" {
		fmt.Fprintln(os.Stderr, "skipped: "+harness.ErrNotOurs.Error())
		return 0
	}
	folder, err := os.MkdirTemp("", "certwire-issuance-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	log, err := os.Create(filepath.Join(folder, "replicas.log"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer log.Close()
	defer func() {
		certManager.Stop()
		if certwire != nil {
			certwire.Stop()
		}
		if cluster != nil {
			cluster.Stop()
		}
	}()
	if err := setUp(ctx, folder, log); err != nil {
		showEnd("the replicas'", log.Name())
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if code != 0 {
		showEnd("the replicas'", log.Name())
		showEnd("cert-manager's", certManager.Log)
	}
	return code
}

func showEnd(whose, path string) {
	if text, err := os.ReadFile(path); err == nil {
		fmt.Fprintf(os.Stderr, "--- %s log, last part\n%s\n", whose, text[max(0, len(text)-20_000):])
	}
}

// setUp starts everything and waits until both issuers are ready.
func setUp(ctx context.Context, folder string, log io.Writer) error {
	var err error
	if cluster, err = harness.Start(ctx, os.Stderr, "--audit-log", filepath.Join(folder, "audit.log")); err != nil {
		return err
	}
	if objects, err = newObjects(); err != nil {
		return err
	}
	if certManager, err = harness.StartCertManager(ctx, cluster, os.Stderr, "--count=3"); err != nil {
		return err
	}
	// The overlay has the permissions for deliveries; what the base brings is applied once more with certwire.
	if _, err = cluster.Kubectl(ctx, "", "apply", "-k", "manifests/overlays/delivery"); err != nil {
		return err
	}
	if certwire, err = harness.Deploy(ctx, cluster, log, 2, "--shutdown-delay=3s", "--ca-publish-delay=1s", "-v=1", "--delivery"); err != nil {
		return err
	}
	config, err := os.ReadFile(certwire.ConfigFile())
	if err != nil {
		return err
	}
	// must-churn is off, so that a test can make a renewal due.
	config = bytes.Replace(config, []byte("  mode: warn\n"), []byte("  mode: warn\n  rules: {must-churn: \"off\"}\n"), 1)
	config = fmt.Appendf(config, authorities, certManager.ACME(staging), certManager.ACME(production), certManager.ACME(quick))
	if err := certwire.Configure(ctx, config); err != nil {
		return err
	}
	issuers := certManager.ClusterIssuer(stagingIssuer, staging) + "---" + certManager.ClusterIssuer(productionIssuer, production) +
		"---" + certManager.ClusterIssuer(quickIssuer, quick)
	issuers += `---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: none} # what their solvers name
spec: {controller: example.com/none}
`
	if _, err := cluster.Kubectl(ctx, issuers, "apply", "-f", "-"); err != nil {
		return errors.Join(errors.New("making the issuers"), err)
	}
	_, err = cluster.Kubectl(ctx, "", "wait", "--for=condition=Ready", "--timeout=2m", "clusterissuer/"+stagingIssuer, "clusterissuer/"+productionIssuer,
		"clusterissuer/"+quickIssuer)
	return err
}
