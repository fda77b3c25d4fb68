package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/certwire/certwire/test/cluster/internal/binaries"
	"github.com/certwire/certwire/test/cluster/internal/controlplane"
	"github.com/certwire/certwire/test/cluster/internal/crds"
	"github.com/certwire/certwire/test/cluster/internal/node"
	"github.com/certwire/certwire/test/cluster/internal/rundir"
)

// serve builds what is missing, runs a cluster until ctx ends, and removes it. A
// stop that ctx asks for once the cluster is ready is no error.
func serve(ctx context.Context, opts options, stdout io.Writer, log *log.Logger) error {
	workDir, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("finding the working directory: %w", err)
	}
	module, err := binaries.FindModule(workDir)
	if err != nil {
		return err
	}
	if opts.cache == "" {
		opts.cache = filepath.Join(module, "..", "..", ".cache", "cluster")
	}
	cache, err := binaries.Open(ctx, opts.cache, module, log)
	if err != nil {
		return err
	}
	programs := binaries.Programs
	if opts.node {
		programs = slices.Concat(programs, binaries.NodePrograms)
	}
	if opts.node && !opts.buildOnly {
		// Before the minutes of a build.
		if err := node.Prepare(ctx, opts.cache, log); err != nil {
			return err
		}
	}
	if err := cache.Build(ctx, programs); err != nil {
		return err
	}
	if opts.buildOnly {
		_, err := fmt.Fprintln(stdout, cache.Bin())
		return err
	}
	dir, err := rundir.Create(ctx, filepath.Join(opts.cache, "run"), log)
	if err != nil {
		return err
	}
	if opts.kubeconfig == "" {
		opts.kubeconfig = filepath.Join(dir.Path, "kubeconfig")
	}
	c := cluster{opts: opts, module: module, bin: cache.Bin(), dir: dir, log: log}
	err = c.run(ctx, stdout)
	return errors.Join(err, c.remove())
}

// cluster is one run.
type cluster struct {
	opts        options
	module, bin string
	dir         *rundir.Dir
	log         *log.Logger
}

// run starts the cluster, says so, and ends it when ctx ends or a component does.
func (c cluster) run(ctx context.Context, stdout io.Writer) error {
	started := time.Now()
	config := controlplane.Config{
		Bin:                   c.bin,
		Dir:                   c.dir.Path,
		Kubeconfig:            c.opts.kubeconfig,
		AuditLog:              c.opts.auditLog,
		APIServerArgs:         c.opts.apiServerArgs,
		ControllerManagerArgs: c.opts.controllerManagerArgs,
		Started:               c.dir.Add,
		Log:                   c.log,
	}
	var n *node.Node
	if c.opts.node {
		var err error
		if n, err = node.New(ctx, c.nodeConfig()); err != nil {
			return err
		}
		config.Node = &controlplane.Node{Name: node.Name, Address: n.Address()}
	}
	plane, err := controlplane.Start(ctx, config)
	if err != nil {
		return err
	}
	defer plane.Stop()
	asked := ctx
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	failWith(ctx, fail, plane.Failed())

	if err := c.installCRDs(ctx); err != nil {
		return err
	}
	if n != nil {
		defer n.Stop()
		if err := n.Start(ctx, plane); err != nil {
			return err
		}
		failWith(ctx, fail, n.Failed())
	}
	c.log.Printf("ready after %s; logs are in %s", time.Since(started).Round(100*time.Millisecond), c.dir.Path)
	if _, err := fmt.Fprint(stdout, readyLine(c.opts.kubeconfig, c.bin, c.opts.auditLog, os.Getpid())); err != nil {
		return fmt.Errorf("writing the ready line: %w", err)
	}
	<-ctx.Done()
	if asked.Err() == nil {
		return context.Cause(ctx)
	}
	c.log.Printf("stopping: %v", context.Cause(asked))
	return nil
}

func (c cluster) nodeConfig() node.Config {
	return node.Config{Bin: c.bin, Module: c.module, Dir: c.dir, Images: c.opts.images, Log: c.log}
}

// failWith ends ctx with the first error of failed.
func failWith(ctx context.Context, fail context.CancelCauseFunc, failed <-chan error) {
	go func() {
		select {
		case err := <-failed:
			fail(err)
		case <-ctx.Done():
		}
	}()
}

func (c cluster) installCRDs(ctx context.Context) error {
	if c.opts.noCRDs {
		return nil
	}
	files, err := crds.Files(ctx, c.module)
	if err != nil {
		return err
	}
	return crds.Install(ctx, crds.Cluster{
		Kubectl:    filepath.Join(c.bin, "kubectl"),
		Kubeconfig: c.opts.kubeconfig,
		Scratch:    c.dir.Path,
	}, files)
}

// remove removes what the run has written, except for the audit log, which
// is somebody's result.
func (c cluster) remove() error {
	if c.opts.keep {
		c.log.Printf("kept %s", c.dir.Path)
		return c.dir.Close(true)
	}
	return errors.Join(controlplane.RemoveKubeconfig(c.opts.kubeconfig), c.dir.Close(false))
}

// readyLine is the line that other programs wait for and read. Its fields are in
// this order and their values are not quoted.
func readyLine(kubeconfig, bin, audit string, pid int) string {
	return fmt.Sprintf("ready kubeconfig=%s bin=%s audit=%s pid=%d\n", kubeconfig, bin, audit, pid)
}
