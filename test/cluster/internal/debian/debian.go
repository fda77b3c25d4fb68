package debian

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/certwire/certwire/test/cluster/internal/flock"
	"github.com/certwire/certwire/test/cluster/internal/process"
)

const (
	// policyFile is asked by Debian's packages whether a service may start.
	// https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt
	policyFile = "/usr/sbin/policy-rc.d"
	// policy answers 101, no, for every service.
	policy = "#!/bin/sh\n# Written by certwire's test cluster while it installs packages.\nexit 101\n"

	// lockWait is how long another package manager may hold its locks.
	lockWait = 10 * time.Minute
	// lockRetry is the time between two tries while it does.
	lockRetry = 3 * time.Second
	// outputLines is how much of a failed command's output is shown.
	outputLines = 20
)

// ErrNoApt means that packages are missing and that there is no apt-get.
var ErrNoApt = errors.New("apt-get is not there to install them")

// Package is a Debian package.
type Package struct {
	// Name is the package's.
	Name string
	// Provides is a program in PATH, or the absolute path of a file: the package
	// counts as installed when it is there, wherever it came from.
	Provides string
}

// Ensure installs those of packages that are missing. It needs root. Commands that
// call it at once take turns; lockFile is where they meet.
func Ensure(ctx context.Context, packages []Package, lockFile string, log *log.Logger) error {
	if len(missing(packages)) == 0 {
		return nil
	}
	lock, err := flock.Acquire(ctx, lockFile, func() { log.Print("another command is installing packages: waiting for it") })
	if err != nil {
		return fmt.Errorf("waiting to install packages: %w", err)
	}
	defer func() { _ = lock.Release() }()

	names := missing(packages)
	if len(names) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("packages %s are missing: %w", strings.Join(names, ", "), ErrNoApt)
	}
	started := time.Now()
	log.Printf("installing %s", strings.Join(names, ", "))
	err = withoutServices(policyFile, func() error { return install(ctx, names, log) })
	if err != nil {
		return fmt.Errorf("installing %s: %w", strings.Join(names, ", "), err)
	}
	if left := missing(packages); len(left) > 0 {
		return fmt.Errorf("installing packages: %s are still missing", strings.Join(left, ", "))
	}
	log.Printf("installed in %s", time.Since(started).Round(time.Second))
	return nil
}

// missing returns the names of those that are not there.
func missing(packages []Package) []string {
	var names []string
	for _, p := range packages {
		var err error
		if filepath.IsAbs(p.Provides) {
			_, err = os.Stat(p.Provides)
		} else {
			_, err = exec.LookPath(p.Provides)
		}
		if err != nil {
			names = append(names, p.Name)
		}
	}
	return names
}

// install runs apt-get.
func install(ctx context.Context, names []string, log *log.Logger) error {
	if err := apt(ctx, log, "update"); err != nil {
		return err
	}
	return apt(ctx, log, append([]string{"install", "-y", "--no-install-recommends"}, names...)...)
}

// withoutServices does work while the file at path forbids that services start. If
// the machine has such a file, that one stays: what starts is then its own matter.
func withoutServices(path string, work func() error) (err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return work()
	}
	if err != nil {
		return fmt.Errorf("keeping services from starting: %w", err)
	}
	defer func() { err = errors.Join(err, os.Remove(path)) }()
	_, err = file.WriteString(policy)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("keeping services from starting: %w", err)
	}
	return work()
}

// apt runs apt-get, again and again while another package manager is at work.
func apt(ctx context.Context, log *log.Logger, args ...string) error {
	deadline := time.Now().Add(lockWait)
	for first := true; ; first = false {
		cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-q"}, args...)...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
		out, err := cmd.CombinedOutput()
		if err == nil {
			return nil
		}
		busy := strings.Contains(string(out), "Could not get lock")
		if !busy || time.Now().After(deadline) {
			return fmt.Errorf("apt-get %s: %w; the end of its output:\n  %s", args[0], err,
				strings.Join(process.LastLines(string(out), outputLines), "\n  "))
		}
		if first {
			log.Print("another package manager is at work: waiting for it")
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(lockRetry):
		}
	}
}
