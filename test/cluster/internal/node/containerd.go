package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"

	"github.com/certwire/certwire/test/cluster/internal/cgroup"
	"github.com/certwire/certwire/test/cluster/internal/mountns"
	"github.com/certwire/certwire/test/cluster/internal/process"
)

const (
	// socket is containerd's, as the node sees it.
	socket = "/run/containerd/containerd.sock"
	// pauseImage is the first container of every pod.
	pauseImage = "certwire.test/pause:test"
	// kubernetesNamespace is where containerd keeps what the kubelet sees.
	kubernetesNamespace = "k8s.io"
)

// containerdFormat is containerd's configuration, of the version that 1.6 reads and
// later ones convert. restrict_oom_score_adj: without CAP_SYS_RESOURCE, which root
// in a container may lack, no container could otherwise be started. The plugin opt
// is off because it makes a folder in /opt, and the file systems because they are
// not used and would be looked for.
const containerdFormat = `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]
[grpc]
  address = %q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q
`

// networkFormat connects pods to the bridge that is there already. Nothing is
// masqueraded and there is no default route out of the machine's own networks: pods
// talk to each other and to this machine.
const networkFormat = `{
  "cniVersion": "0.4.0",
  "name": "certwire",
  "plugins": [{
    "type": "bridge",
    "bridge": %q,
    "isGateway": true,
    "ipMasq": false,
    "ipam": {
      "type": "host-local",
      "ranges": [[{"subnet": %q, "gateway": %q}]],
      "routes": [{"dst": "0.0.0.0/0"}]
    }
  }]
}
`

// startContainerd starts it, in the node's cgroup, and returns when it answers.
func (n *Node) startContainerd(ctx context.Context) (*process.Process, error) {
	network := fmt.Sprintf(networkFormat, n.bridge.Name, n.bridge.Subnet, n.bridge.Address)
	if _, err := n.write("cni/10-certwire.conflist", network); err != nil {
		return nil, err
	}
	config, err := n.write("containerd.toml",
		fmt.Sprintf(containerdFormat, socket, pauseImage, cniBin, n.dir+"/cni"))
	if err != nil {
		return nil, err
	}
	binary, err := exec.LookPath("containerd")
	if err != nil {
		return nil, fmt.Errorf("finding containerd: %w", err)
	}
	p, err := n.launch("containerd", binary, "--config", config)
	if err != nil {
		return nil, err
	}
	// The shims that it starts are then in the cgroup, too.
	if err := cgroup.Adopt(n.host.Cgroup, "runtime", p.Identity.PID); err != nil {
		return nil, err
	}
	return p, await(ctx, p, func(ctx context.Context) error {
		_, err := ctr(ctx, p, "plugins", "list")
		return err
	})
}

// ctr runs containerd's client on the node's containerd.
func ctr(ctx context.Context, containerd *process.Process, args ...string) (string, error) {
	at := mountns.Of(containerd.Identity.PID, socket)
	// The client itself would wait for a server that is not there yet.
	connection, err := (&net.Dialer{}).DialContext(ctx, "unix", at)
	if err != nil {
		return "", fmt.Errorf("reaching containerd: %w", err)
	}
	_ = connection.Close()
	all := append([]string{"--address", at, "--namespace", kubernetesNamespace}, args...)
	out, err := exec.CommandContext(ctx, "ctr", all...).CombinedOutput()
	if err != nil {
		return "", errors.Join(fmt.Errorf("ctr %s: %w: %s", args[0], err, strings.TrimSpace(string(out))), context.Cause(ctx))
	}
	return string(out), nil
}
