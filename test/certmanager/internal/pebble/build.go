package pebble

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Build builds Pebble, in the version that the go.mod in the folder module pins, into
// the folder cache, and returns the program's path. What is up to date stays.
func Build(ctx context.Context, module, cache string, log *log.Logger) (string, error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("creating the folder for built programs: %w", err)
	}
	into := filepath.Join(cache, "pebble")
	if _, err := os.Stat(into); err != nil {
		log.Print("building Pebble")
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", into, "github.com/letsencrypt/pebble/v2/cmd/pebble")
	cmd.Dir = module
	// Beside the result, the finished program can be moved into place in one step.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOTMPDIR="+cache)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 10 * time.Second
	output, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		return "", fmt.Errorf("building Pebble: %w: %s", err, strings.TrimSpace(string(output)))
	}
	return into, nil
}
