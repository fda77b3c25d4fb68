package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/certwire/certwire/test/harness"
)

func main() {
	if dir := os.Getenv(servesVariable); dir != "" {
		if err := serveUntilStdinCloses(dir); err != nil {
			fmt.Fprintln(os.Stderr, "bench server:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run sets everything up, measures, and takes everything down again.
func run(ctx context.Context, args []string, out, progress io.Writer) (err error) {
	o, err := parseOptions(args, progress)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "certwire-bench-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(folder)
	if o.agent {
		b := &bench{options: o, out: out, progress: progress, folder: folder, started: time.Now()}
		return b.agent(ctx)
	}
	log, err := os.Create(filepath.Join(folder, "replicas.log"))
	if err != nil {
		return fmt.Errorf("making a log: %w", err)
	}
	defer log.Close()
	if o.delivery {
		b := &bench{options: o, out: out, progress: progress, log: log, folder: folder, started: time.Now()}
		if err := b.deliveries(ctx); err != nil {
			showLog(progress, log.Name())
			return err
		}
		return nil
	}
	// Only the API server's work is measured, and the controllers would go on with that of the workloads for minutes.
	cluster, err := harness.Start(ctx, progress, "--controller-manager-arg="+
		"--controllers=*,-deployment-controller,-replicaset-controller,-statefulset-controller,-daemonset-controller")
	if err != nil {
		return err
	}
	defer cluster.Stop()
	b := &bench{options: o, cluster: cluster, out: out, progress: progress, log: log, folder: folder, started: time.Now()}
	if o.meter {
		return b.budgets(ctx)
	}
	defer func() {
		err = errors.Join(err, b.takeDown(context.WithoutCancel(ctx)))
		if err != nil {
			showLog(progress, log.Name())
		}
	}()
	if err := b.setUp(ctx); err != nil {
		return err
	}
	return b.measure(ctx)
}

// showLog prints the last part of the replicas' log, without what polling for readiness leaves in it.
func showLog(to io.Writer, name string) {
	text, err := os.ReadFile(name)
	if err != nil {
		return
	}
	lines := slices.DeleteFunc(strings.SplitAfter(string(text), "\n"), func(line string) bool {
		return strings.Contains(line, "healthz check failed")
	})
	fmt.Fprintf(to, "--- the replicas' log, last part\n%s\n", strings.Join(lines[max(0, len(lines)-40):], ""))
}

// measure lets the cluster grow step by step and measures at each.
func (b *bench) measure(ctx context.Context) error {
	b.conditions("before")
	for _, total := range b.options.certificates {
		if err := b.grow(ctx, total); err != nil {
			return err
		}
		if err := b.latency(ctx, total); err != nil {
			return err
		}
		if total == smallCluster.certificates && b.options.memory {
			if err := b.memory(ctx, smallCluster); err != nil {
				return err
			}
		}
	}
	if b.options.crowded > 0 {
		if err := b.crowd(ctx); err != nil {
			return err
		}
	}
	b.flat()
	if b.options.full && b.options.memory {
		if err := b.grow(ctx, largeCluster.certificates); err != nil {
			return err
		}
		if err := b.memory(ctx, largeCluster); err != nil {
			return err
		}
	}
	b.conditions("after")
	return b.calls(ctx)
}
