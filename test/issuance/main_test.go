// Package issuance tests certwire with a real cert-manager that orders from real ACME servers (Pebble), as
// test/certmanager runs them: what reaches the CA is counted there and nowhere else.
//
// It has a cluster of its own, and is apart from test/e2e, because cert-manager's controllers take every object in
// their cluster for theirs: the tests there write the status of Certificates and Orders by hand, and their issuers name
// real CAs.
package issuance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/certwire/certwire/test/harness"
)

// The two ACME servers by number, and the ClusterIssuers for them by name. The configuration makes production of one.
const (
	staging, production = 0, 1

	stagingIssuer, productionIssuer = "pebble-staging", "pebble-production"
)

var (
	cluster     *harness.Cluster
	certManager *harness.CertManager
	certwire    *harness.Certwire
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
	if cluster, err = harness.Start(ctx, os.Stderr); err != nil {
		return err
	}
	if certManager, err = harness.StartCertManager(ctx, cluster, os.Stderr, "--count=2"); err != nil {
		return err
	}
	if certwire, err = harness.Deploy(ctx, cluster, log, 2, "--shutdown-delay=3s", "--ca-publish-delay=1s", "-v=1"); err != nil {
		return err
	}
	config, err := os.ReadFile(certwire.ConfigFile())
	if err != nil {
		return err
	}
	config = fmt.Appendf(config, "authorities:\n- {name: Pebble, production: [%q], staging: [%q]}\n",
		certManager.ACME(production), certManager.ACME(staging))
	if err := os.WriteFile(certwire.ConfigFile(), config, 0o600); err != nil {
		return err
	}
	issuers := certManager.ClusterIssuer(stagingIssuer, staging) + "---" + certManager.ClusterIssuer(productionIssuer, production)
	if _, err := cluster.Kubectl(ctx, issuers, "apply", "-f", "-"); err != nil {
		return errors.Join(errors.New("making the issuers"), err)
	}
	_, err = cluster.Kubectl(ctx, "", "wait", "--for=condition=Ready", "--timeout=2m", "clusterissuer/"+stagingIssuer, "clusterissuer/"+productionIssuer)
	return err
}
