package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/certwire/certwire/test/certmanager/internal/controllers"
	"github.com/certwire/certwire/test/certmanager/internal/pebble"
)

// serve builds what is missing, runs everything until ctx ends, and ends it. A stop
// that ctx asks for once all is ready is no error.
func serve(ctx context.Context, opts options, stdout io.Writer, log *log.Logger) (err error) {
	module, err := moduleFolder()
	if err != nil {
		return err
	}
	if opts.cache == "" {
		opts.cache = filepath.Join(module, "..", "..", ".cache", "certmanager")
	}
	binary, err := pebble.Build(ctx, module, opts.cache, log)
	if err != nil || opts.buildOnly {
		return err
	}
	dir, err := os.MkdirTemp("", "certwire-certmanager-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	if opts.keep {
		defer log.Printf("kept %s", dir)
	} else {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	return runAll(ctx, opts, binary, dir, stdout, log)
}

// runAll is one run in the folder dir.
func runAll(asked context.Context, opts options, binary, dir string, stdout io.Writer, log *log.Logger) error {
	ctx, fail := context.WithCancelCause(asked)
	defer fail(nil)
	started := time.Now()

	authority, err := pebble.NewAuthority(dir, started)
	if err != nil {
		return err
	}
	var directories, logs []string
	for i := range opts.count {
		server, err := pebble.Start(ctx, pebble.Config{
			Binary: binary, Dir: dir, Name: fmt.Sprintf("acme-%d", i), Authority: authority,
			Validity: opts.validity, RetryAfter: opts.retryAfter,
		})
		if err != nil {
			return err
		}
		defer server.Stop()
		go func() { fail(server.Wait()) }()
		directories, logs = append(directories, server.Directory), append(logs, server.Log)
	}

	kubeconfig, err := controllers.Account(ctx, opts.kubeconfig, dir)
	if err != nil {
		return err
	}
	running, err := controllers.Start(ctx, controllers.Config{Kubeconfig: kubeconfig, Log: filepath.Join(dir, "controllers.log")})
	if err != nil {
		return err
	}
	defer running.Stop()
	go func() { fail(running.Wait()) }()
	if err := running.Ready(ctx); err != nil {
		return err
	}

	log.Printf("ready after %s; logs are in %s", time.Since(started).Round(100*time.Millisecond), dir)
	if _, err := io.WriteString(stdout, readyLine(os.Getpid(), directories, authority.File, logs, running.Log)); err != nil {
		return fmt.Errorf("writing the ready line: %w", err)
	}
	<-ctx.Done()
	if asked.Err() == nil {
		return context.Cause(ctx)
	}
	log.Printf("stopping: %v", context.Cause(asked))
	return nil
}

// readyLine is the line that other programs wait for and read. Its fields are in
// this order and their values are not quoted.
func readyLine(pid int, directories []string, ca string, logs []string, controllers string) string {
	return fmt.Sprintf("ready pid=%d acme=%s ca=%s log=%s controllers=%s\n",
		pid, strings.Join(directories, ","), ca, strings.Join(logs, ","), controllers)
}

// moduleFolder is the folder of this module's go.mod, which pins what is built.
func moduleFolder() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the working directory: %w", err)
	}
	content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil || !strings.HasPrefix(string(content), "module github.com/certwire/certwire/test/certmanager\n") {
		return "", fmt.Errorf("working in %s, which is not the folder of this module: run it with go -C test/certmanager", dir)
	}
	return dir, nil
}
