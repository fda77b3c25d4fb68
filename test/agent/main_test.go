package agent

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/certwire/certwire/test/harness"
	"github.com/certwire/certwire/test/servers"
)

// The images of the pods.
const (
	appImage     = "certwire.test/app:test"
	agentImage   = "certwire.test/agent:test"
	serversImage = "certwire.test/servers:test"
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
	flags := []string{"--node"}
	if os.Geteuid() == 0 && os.Getenv("KUBECONFIG") == "" {
		images, err := images(ctx, folder)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		flags = append(flags, images...)
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

// install runs the webhook, which injects the agent that was built from this tree. It is a process of this machine: the
// Deployment of the manifests is to have no pods.
func install(ctx context.Context, log io.Writer) (*harness.Certwire, error) {
	certwire, err := harness.Deploy(ctx, cluster, log, 1, "--ca-publish-delay=1s", "--shutdown-delay=0s")
	if err != nil {
		return certwire, err
	}
	config, err := os.ReadFile(certwire.ConfigFile())
	if err != nil {
		return certwire, fmt.Errorf("reading the configuration: %w", err)
	}
	released := regexp.MustCompile(`(?m)^( +image: ).*$`)
	if err := certwire.Configure(ctx, released.ReplaceAll(config, []byte("${1}"+agentImage))); err != nil {
		return certwire, err
	}
	_, err = cluster.Kubectl(ctx, "", "scale", "--namespace", harness.Namespace, "deployment/certwire-webhook", "--replicas=0")
	return certwire, err
}

// images builds what the pods run and returns the flags of test/cluster that bring it.
func images(ctx context.Context, folder string) ([]string, error) {
	app, agent := filepath.Join(folder, "app"), filepath.Join(folder, "agent")
	for _, args := range [][]string{
		{"go", "build", "-ldflags", "-s -w", "-o", app, "./test/agent/app"},
		{"make", "build-agent", "BIN=" + folder, "VERSION=test"},
	} {
		build := exec.CommandContext(ctx, args[0], args[1:]...)
		build.Dir, build.Env = harness.Root(), append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", args, err, out)
		}
	}
	debian, err := servers.Folder(ctx, filepath.Join(harness.Root(), ".cache", "servers"), os.Stderr)
	if err != nil {
		return nil, fmt.Errorf("bringing the servers: %w", err)
	}
	return []string{"--image=" + appImage + "=" + app, "--image=" + agentImage + "=" + agent, "--image=" + serversImage + "=" + debian}, nil
}
