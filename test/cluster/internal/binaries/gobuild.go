package binaries

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/certwire/certwire/test/cluster/internal/process"
)

const (
	// stopGrace is how long an interrupted go command may take to end.
	stopGrace = 10 * time.Second
	// outputLines is how much of a failed build's output is shown.
	outputLines = 40
)

// goBuild builds with the go command that is first in PATH.
type goBuild struct {
	// module is the folder whose go.mod decides the versions.
	module string
}

// BuildOwn builds pkg, a package of the folder module, into the file into. It is
// not cached: a build that changes nothing takes a fraction of a second.
func BuildOwn(ctx context.Context, module, pkg, into string) error {
	if err := (&goBuild{module: module}).run(ctx, pkg, into, "-s -w"); err != nil {
		return fmt.Errorf("building %s: %w", pkg, err)
	}
	return nil
}

// run builds the package pkg into the file into. Programs are static, so that
// neither a C compiler nor the machine's C library has a say. Temporary files go
// beside into: an interrupted go command may leave them.
func (g *goBuild) run(ctx context.Context, pkg, into, ldflags string) error {
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", "build", "-o", into, "-ldflags", ldflags, pkg)
	cmd.Dir = g.module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOTMPDIR="+filepath.Dir(into))
	cmd.Stdout, cmd.Stderr = &output, &output
	// The whole group is interrupted: the go command leaves its linker running.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = stopGrace

	err := cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("go build: %w; the end of its output:\n  %s", err,
			strings.Join(process.LastLines(output.String(), outputLines), "\n  "))
	}
	return nil
}

// reporting runs work and logs when it starts, that it still runs, and how long
// it took: a cold build takes minutes, and silence looks like a fault.
func (c *Cache) reporting(name string, work func() error) error {
	started := time.Now()
	elapsed := func() time.Duration { return time.Since(started).Round(time.Second) }
	c.log.Printf("building %s", name)

	result := make(chan error, 1)
	go func() { result <- work() }()
	ticker := time.NewTicker(c.reportEvery)
	defer ticker.Stop()
	for {
		select {
		case err := <-result:
			if err == nil {
				c.log.Printf("built %s in %s", name, elapsed())
			}
			return err
		case <-ticker.C:
			c.log.Printf("building %s: %s so far", name, elapsed())
		}
	}
}
