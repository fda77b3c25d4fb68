package node

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/certwire/certwire/test/harness"
)

const (
	// appImage is what pods run, and folderImage has the same program in /bin.
	appImage    = "certwire.test/app:test"
	folderImage = "certwire.test/folder:test"
)

var (
	cluster *harness.Cluster
	// appFlag is the flag of test/cluster that brings appImage.
	appFlag string
)

func TestMain(m *testing.M) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
	defer cancel()
	os.Exit(run(ctx, m))
}

func run(ctx context.Context, m *testing.M) int {
	folder, err := os.MkdirTemp("", "certwire-node-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	app := filepath.Join(folder, "bin", "app")
	build := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w", "-o", app, "./app")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the image's program: %v\n%s\n", err, out)
		return 1
	}
	appFlag = "--image=" + appImage + "=" + app
	cluster, err = harness.Start(ctx, os.Stderr, "--node", "--no-crds", appFlag, "--image="+folderImage+"="+folder)
	if harness.MaySkip(err) {
		fmt.Fprintf(os.Stderr, "SKIPPED, all tests on a node: %v\n", err)
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer cluster.Stop()
	traces, err := tracesOf(cluster)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	cluster.Stop()
	for _, left := range traces.left() {
		fmt.Fprintf(os.Stderr, "FAIL: after an ordinary stop, %s is left\n", left)
		code = 1
	}
	return code
}
