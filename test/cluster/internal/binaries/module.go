package binaries

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// modulePath is the module that pins the versions of everything built here.
const modulePath = "github.com/certwire/certwire/test/cluster"

// FindModule returns the folder of this module: the one at or above from.
func FindModule(from string) (string, error) {
	for dir := from; ; dir = filepath.Dir(dir) {
		gomod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(gomod, []byte("module "+modulePath+"\n")) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("module %s is not at or above %s: run this as 'go -C test/cluster run .'", modulePath, from)
		}
	}
}

// ModuleDir returns the folder that holds the module named path, in the version
// that go.mod in module pins. It downloads the module if it is not there yet.
func ModuleDir(ctx context.Context, module, path string) (string, error) {
	out, err := goOutput(ctx, module, "mod", "download", "-json", path)
	if err != nil {
		return "", fmt.Errorf("finding module %s: %w", path, err)
	}
	var found struct{ Dir string }
	if err := json.Unmarshal(out, &found); err != nil {
		return "", fmt.Errorf("reading what go says of module %s: %w", path, err)
	}
	return found.Dir, nil
}

// goOutput runs the go command in dir and returns its standard output.
func goOutput(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err == nil {
		return out, nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("go %s: %w: %s%s", args[0], err, out, exit.Stderr)
	}
	return nil, fmt.Errorf("go %s: %w", args[0], err)
}
