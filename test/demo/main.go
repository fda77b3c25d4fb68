package main

import (
	"context"
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
	cluster, err := harness.Start(background, os.Stderr)
	if err != nil {
		return err
	}
	defer cluster.Stop()
	folder, err := os.MkdirTemp("", "certwire-demo-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(folder)
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
	if err := play(ctx, cluster, os.Stdout, story); err != nil {
		return err
	}
	fmt.Printf("# The cluster stays until Ctrl-C. To try it by hand, in another terminal:\nexport KUBECONFIG=%s\nalias kubectl=%s\n# certwire's log: %s\n",
		cluster.Kubeconfig, cluster.KubectlPath(), log.Name())
	<-ctx.Done()
	return nil
}

// install deploys certwire and shows the command that did it.
func install(ctx context.Context, c *harness.Cluster, log, out io.Writer) (*harness.Certwire, error) {
	certwire, err := harness.Deploy(ctx, c, log, 2, "--ca-publish-delay=1s", "--shutdown-delay=0s")
	if err != nil {
		return certwire, err
	}
	_, err = fmt.Fprintf(out, "# Install certwire.\n$ kubectl apply -k manifests/\n%s\n", certwire.Installed)
	return certwire, err
}
