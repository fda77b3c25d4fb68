package agent

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/certwire/certwire/test/harness"
	"github.com/certwire/certwire/test/pods"
)

var cluster *harness.Cluster

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests mostly wait: for kubelets, deadlines and restarts.
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("10")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
	defer cancel()
	os.Exit(run(ctx, m))
}

func run(ctx context.Context, m *testing.M) int {
	folder, err := os.MkdirTemp("", "certwire-agent-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	flags, err := pods.Images(ctx, folder, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cluster, err = harness.Start(ctx, os.Stderr, flags...)
	if harness.MaySkip(err) {
		fmt.Fprintf(os.Stderr, "SKIPPED, all tests of the agent on a node: %v\n", err)
		return 0
	}
	if err != nil {
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
	certwire, err := install(ctx, log)
	if certwire != nil {
		defer certwire.Stop()
	}
	if err != nil {
		text, _ := os.ReadFile(log.Name())
		fmt.Fprintf(os.Stderr, "%v\n%s\n", err, text)
		return 1
	}
	code := m.Run()
	if code != 0 {
		text, _ := os.ReadFile(log.Name())
		fmt.Fprintf(os.Stderr, "--- the webhook's log, last part\n%s\n", text[max(0, len(text)-20_000):])
	}
	fmt.Print(measured.table())
	return code
}

// install runs the webhook, which injects the agent that was built from this tree.
func install(ctx context.Context, log io.Writer) (*harness.Certwire, error) {
	certwire, err := harness.Deploy(ctx, cluster, log, 1, "--ca-publish-delay=1s", "--shutdown-delay=0s")
	if err != nil {
		return certwire, err
	}
	return certwire, certwire.Inject(ctx, pods.AgentImage)
}
