package pods

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/certwire/certwire/test/harness"
	"github.com/certwire/certwire/test/servers"
)

// Images builds what the pods run, in a folder, and returns the flags of test/cluster that bring it to a node. Without one,
// as [harness.Start] says, it builds nothing and returns --node alone. Bringing Debian's servers takes minutes the first
// time; progress goes to the writer.
func Images(ctx context.Context, folder string, progress io.Writer) ([]string, error) {
	flags := []string{"--node"}
	if os.Geteuid() != 0 || os.Getenv("KUBECONFIG") != "" {
		return flags, nil
	}
	app, agent := filepath.Join(folder, "app"), filepath.Join(folder, "agent")
	for _, args := range [][]string{
		{"go", "build", "-ldflags", "-s -w", "-o", app, "./test/agent/app"},
		{"make", "build-agent", "BIN=" + folder, "VERSION=test"},
	} {
		build := exec.CommandContext(ctx, args[0], args[1:]...)
		build.Dir, build.Env = harness.Root(), append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", args, err, out)
		}
	}
	debian, err := servers.Folder(ctx, filepath.Join(harness.Root(), ".cache", "servers"), progress)
	if err != nil {
		return nil, fmt.Errorf("bringing the servers: %w", err)
	}
	return append(flags, "--image="+AppImage+"="+app, "--image="+AgentImage+"="+agent, "--image="+ServersImage+"="+debian), nil
}
