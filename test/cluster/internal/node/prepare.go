package node

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"

	"github.com/certwire/certwire/test/cluster/internal/debian"
	"github.com/certwire/certwire/test/cluster/internal/mountns"
)

// ErrUnavailable means that this user, or this machine, cannot have a node.
var ErrUnavailable = errors.New("pods cannot be run here")

// cniBin is where Debian's package puts the plugins.
const cniBin = "/usr/lib/cni"

// packages are Debian's. None of their configuration is used.
var packages = []debian.Package{
	{Name: "containerd", Provides: "containerd"},
	{Name: "runc", Provides: "runc"},
	{Name: "containernetworking-plugins", Provides: cniBin + "/bridge"},
	{Name: "iproute2", Provides: "ip"},
}

// owned are the folders that a node has to itself: what programs write there they
// write into the run's folder.
var owned = map[string]string{
	"/run":     "run",      // containerd's sockets and pods' network namespaces
	"/var/lib": "lib",      // the kubelet's, containerd's and CNI's state
	"/var/log": "pod-logs", // logs of containers
}

// settings are those of the machine that a node finds as it wants them, although
// they may be others: the kernel parameters that the kubelet sets (setupKernelTunables
// in k8s.io/kubernetes/pkg/kubelet/cm, v1.37) and what CNI's bridge plugin sets for
// a bridge with an address. Pods reach the bridge's subnet and this machine.
var settings = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
	"net/ipv4/ip_forward":       "1",
}

// Prepare checks that there can be a node and installs the packages that are
// missing. Cache is the folder that built programs and runs are in. The error is
// ErrUnavailable if this machine or user cannot have one.
func Prepare(ctx context.Context, cache string, log *log.Logger) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("%w: this is not Linux", ErrUnavailable)
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: only root can (run it with sudo)", ErrUnavailable)
	}
	if err := mountns.Available(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return fmt.Errorf("creating the cache: %w", err)
	}
	if err := mountns.Hidden(ownedFolders("/"), cache); err != nil {
		return err
	}
	err := debian.Ensure(ctx, packages, filepath.Join(cache, "packages.lock"), log)
	if errors.Is(err, debian.ErrNoApt) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// makeFolders makes the node's folders and files below dir and returns what is to
// be mounted where.
func makeFolders(dir string) ([]mountns.Bind, error) {
	binds := ownedFolders(dir)
	for _, b := range binds {
		if err := os.MkdirAll(b.From, 0o755); err != nil {
			return nil, fmt.Errorf("creating a folder of the node: %w", err)
		}
	}
	for name, value := range settings {
		over := filepath.Join("/proc/sys", name)
		if _, err := os.Stat(over); err != nil {
			continue // this kernel does not have it
		}
		from := filepath.Join(dir, "settings", name)
		if err := os.MkdirAll(filepath.Dir(from), 0o755); err != nil {
			return nil, fmt.Errorf("creating a folder of the node: %w", err)
		}
		if err := os.WriteFile(from, []byte(value+"\n"), 0o644); err != nil {
			return nil, fmt.Errorf("writing a setting of the node: %w", err)
		}
		binds = append(binds, mountns.Bind{From: from, Over: over})
	}
	return binds, nil
}

func ownedFolders(dir string) []mountns.Bind {
	var binds []mountns.Bind
	for over, name := range owned {
		binds = append(binds, mountns.Bind{From: filepath.Join(dir, name), Over: over})
	}
	return binds
}
