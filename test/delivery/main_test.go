package delivery

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/inventory"
	"github.com/certwire/certwire/test/harness"
	"github.com/certwire/certwire/test/pods"
)

const (
	issuer = "pebble"
	// deadline is how long a replica may take until it counts as stale. A poke takes well below a second.
	deadline = 20 * time.Second
)

var (
	cluster     *harness.Cluster
	certManager *harness.CertManager
	certwire    *harness.Certwire
	objects     client.Client
)

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests mostly wait, but each has pods: so many at a time are no burden for two cores.
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("4")
	}
	ctrl.SetLogger(logr.Discard())
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
	defer cancel()
	os.Exit(run(ctx, m))
}

func run(ctx context.Context, m *testing.M) int {
	folder, err := os.MkdirTemp("", "certwire-delivery-")
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
	err = setUp(ctx, folder, log)
	if harness.MaySkip(err) {
		fmt.Fprintf(os.Stderr, "SKIPPED, all tests of deliveries on a node: %v\n", err)
		return 0
	}
	if err != nil {
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

// setUp starts everything and waits until the issuer is ready.
func setUp(ctx context.Context, folder string, log io.Writer) error {
	flags, err := pods.Images(ctx, folder, os.Stderr)
	if err != nil {
		return err
	}
	if cluster, err = harness.Start(ctx, os.Stderr, flags...); err != nil {
		return err
	}
	if certManager, err = harness.StartCertManager(ctx, cluster, os.Stderr); err != nil {
		return err
	}
	// Everything of the overlay, so that the component's policy and permissions are those that a user has. What the base
	// brings is applied once more with certwire, and turned to where the tests run it.
	if _, err = cluster.Kubectl(ctx, "", "apply", "-k", "manifests/overlays/mirrors"); err != nil {
		return err
	}
	certwire, err = harness.Deploy(ctx, cluster, log, 1, "--ca-publish-delay=1s", "--shutdown-delay=0s", "-v=1",
		"--delivery", "--delivery-mirrors", "--delivery-rollouts", "--delivery-deadline="+deadline.String())
	if err != nil {
		return err
	}
	if err := allowRollouts(ctx); err != nil {
		return err
	}
	if err := certwire.Inject(ctx, pods.AgentImage); err != nil {
		return err
	}
	if objects, err = newObjects(); err != nil {
		return err
	}
	if _, err := cluster.Kubectl(ctx, certManager.ClusterIssuer(issuer, 0), "apply", "-f", "-"); err != nil {
		return errors.Join(errors.New("making the issuer"), err)
	}
	_, err = cluster.Kubectl(ctx, "", "wait", "--for=condition=Ready", "--timeout=2m", "clusterissuer/"+issuer)
	return err
}

func newObjects() (client.Client, error) {
	scheme, err := inventory.Scheme()
	if err != nil {
		return nil, err
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	return client.New(cluster.Rest, client.Options{Scheme: scheme})
}
