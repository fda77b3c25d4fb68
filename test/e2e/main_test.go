// Package e2e tests certwire against a real API server: etcd, kube-apiserver and kube-controller-manager as test/cluster
// builds them, or the cluster of KUBECONFIG. The manifests are installed as they are, and two replicas run with the
// permissions of their ServiceAccount; see package harness for what is stood in for.
package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/certwire/certwire/test/harness"
)

var (
	cluster  *harness.Cluster
	certwire *harness.Certwire
)

func TestMain(m *testing.M) {
	ctx, cancel := context.WithTimeout(context.Background(), 45*time.Minute)
	defer cancel()
	os.Exit(run(ctx, m))
}

func run(ctx context.Context, m *testing.M) int {
	folder, err := os.MkdirTemp("", "certwire-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	if cluster, err = harness.Start(ctx, os.Stderr, "--audit-log", filepath.Join(folder, "audit.log")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer cluster.Stop()
	log, err := os.Create(filepath.Join(folder, "replicas.log"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer log.Close()
	certwire, err = harness.Deploy(ctx, cluster, log, 2, "--shutdown-delay=3s", "--ca-publish-delay=1s", "-v=1")
	if certwire != nil {
		defer certwire.Stop("clusterissuer/letsencrypt-prod", "clusterissuer/letsencrypt-staging", "clusterissuer/moving")
	}
	if err != nil {
		text, _ := os.ReadFile(log.Name())
		fmt.Fprintf(os.Stderr, "%v\n%s\n", err, text)
		return 1
	}
	code := m.Run()
	if code != 0 {
		if text, err := os.ReadFile(log.Name()); err == nil {
			fmt.Fprintf(os.Stderr, "--- the replicas' log, last part\n%s\n", text[max(0, len(text)-20_000):])
		}
	}
	return code
}
