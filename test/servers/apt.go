package servers

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// plan returns the archives' file names, with their versions, of all packages that are needed on a machine that has
// none: what is installed on this one does not count.
func plan(ctx context.Context) ([]string, error) {
	out, err := apt(ctx, append([]string{"install", "--print-uris", "--no-install-recommends", "-o", "Dir::State::status=/dev/null"}, packages()...)...)
	if err != nil {
		return nil, err
	}
	var files []string
	for line := range strings.Lines(out) { // 'URI' file size digest
		if fields := strings.Fields(line); len(fields) >= 3 && strings.HasPrefix(fields[0], "'") {
			files = append(files, fields[1])
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("apt-get names no archive: %s", out)
	}
	slices.Sort(files)
	return files, nil
}

// download brings them into a folder; apt-get checks their digests.
func download(ctx context.Context, folder string) error {
	if err := os.MkdirAll(filepath.Join(folder, "partial"), 0o755); err != nil {
		return err
	}
	_, err := apt(ctx, append([]string{
		"install", "--download-only", "-y", "--no-install-recommends", "-o", "Dir::State::status=/dev/null",
		"-o", "Dir::Cache::archives=" + folder, "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=true",
	}, packages()...)...)
	return err
}

// lockRetry is the time between two tries while another process updates the lists.
const lockRetry = time.Second

// update brings the lists of packages.
func update(ctx context.Context, progress io.Writer) error {
	_, _ = fmt.Fprintln(progress, "bringing Debian's lists of packages")
	for {
		_, err := apt(ctx, "update")
		if err == nil || !strings.Contains(err.Error(), "Could not get lock") {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(lockRetry):
		}
	}
}

// apt runs apt-get and returns what it prints; the error holds what it complains about.
func apt(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-qq"}, args...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("apt-get %s: %w: %s", args[0], err, strings.TrimSpace(complaints.String()))
	}
	return out.String(), nil
}
