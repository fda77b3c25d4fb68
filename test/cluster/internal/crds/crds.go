package crds

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/certwire/certwire/test/cluster/internal/binaries"
)

// sources are the files to install, as patterns below a module's folder.
var sources = []struct{ module, pattern string }{
	{"github.com/cert-manager/cert-manager", "deploy/crds/*.yaml"},
	{"sigs.k8s.io/gateway-api", "config/crd/standard/gateway.networking.k8s.io_gatewayclasses.yaml"},
	{"sigs.k8s.io/gateway-api", "config/crd/standard/gateway.networking.k8s.io_gateways.yaml"},
	// cert-manager's controllers in test/certmanager watch them once the Gateway API is on.
	{"sigs.k8s.io/gateway-api", "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"},
}

// Cluster says how to reach the cluster to install into.
type Cluster struct {
	// Kubectl is the path of the program and Kubeconfig that of its file.
	Kubectl, Kubeconfig string
	// Scratch is a folder for kubectl's discovery cache.
	Scratch string
}

// Files returns the paths of all files to install, in the versions that the
// go.mod in the folder module pins.
func Files(ctx context.Context, module string) ([]string, error) {
	var files []string
	for _, source := range sources {
		dir, err := binaries.ModuleDir(ctx, module, source.module)
		if err != nil {
			return nil, err
		}
		found, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(source.pattern)))
		if err != nil {
			return nil, fmt.Errorf("looking for %s in module %s: %w", source.pattern, source.module, err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("module %s has no %s", source.module, source.pattern)
		}
		files = append(files, found...)
	}
	return files, nil
}

// Install applies files and waits until the API server serves what they define.
func Install(ctx context.Context, cluster Cluster, files []string) error {
	apply := []string{"apply", "--server-side"}
	wait := []string{"wait", "--for=condition=Established", "--timeout=60s"}
	for _, file := range files {
		apply = append(apply, "--filename="+file)
		wait = append(wait, "--filename="+file)
	}
	if err := cluster.run(ctx, apply); err != nil {
		return fmt.Errorf("applying CustomResourceDefinitions: %w", err)
	}
	if err := cluster.run(ctx, wait); err != nil {
		return fmt.Errorf("waiting for CustomResourceDefinitions: %w", err)
	}
	return nil
}

// run runs kubectl and returns its output only in the error.
func (c Cluster) run(ctx context.Context, args []string) error {
	common := []string{"--kubeconfig=" + c.Kubeconfig, "--cache-dir=" + filepath.Join(c.Scratch, "kubectl")}
	cmd := exec.CommandContext(ctx, c.Kubectl, append(common, args...)...)
	// The user's own preferences for kubectl do not apply here.
	cmd.Env = append(os.Environ(), "KUBERC=off")
	output, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("kubectl %s: %w: %s", args[0], err, strings.TrimSpace(string(output)))
	}
	return nil
}
