package agent

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	code := m.Run()
	fmt.Print(measured.table())
	return code
}

// images builds what the pods run and returns the flags of test/cluster that bring it.
func images(ctx context.Context, folder string) ([]string, error) {
	app, agent := filepath.Join(folder, "app"), filepath.Join(folder, "agent")
	for _, args := range [][]string{
		{"-ldflags", "-s -w", "-o", app, "./test/agent/app"},
		{"-trimpath", "-tags", agentTags, "-ldflags", "-s -w -X main.version=test", "-o", agent, "./cmd/agent"}, // as in the Makefile
	} {
		build := exec.CommandContext(ctx, "go", append([]string{"build"}, args...)...)
		build.Dir, build.Env = harness.Root(), append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building %s: %w\n%s", args[len(args)-1], err, out)
		}
	}
	debian, err := servers.Folder(ctx, filepath.Join(harness.Root(), ".cache", "servers"), os.Stderr)
	if err != nil {
		return nil, fmt.Errorf("bringing the servers: %w", err)
	}
	return []string{"--image=" + appImage + "=" + app, "--image=" + agentImage + "=" + agent, "--image=" + serversImage + "=" + debian}, nil
}

// agentTags is what the Makefile builds the agent with.
const agentTags = "nethttpomithttp2"
