package node

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"github.com/certwire/certwire/test/cluster/internal/controlplane"
)

// kubeletFormat is the kubelet's configuration. Evictions and the collection of
// images would make a test depend on how full the machine's disk is. As many pods as
// the bridge's subnet has addresses for.
const kubeletFormat = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: %[1]s
port: %[2]d
readOnlyPort: 0
healthzPort: 0
tlsCertFile: %[3]s
tlsPrivateKeyFile: %[4]s
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: %[5]s}
authorization: {mode: Webhook}
containerRuntimeEndpoint: unix://%[6]s
cgroupDriver: cgroupfs
cgroupRoot: /%[7]s
cgroupsPerQOS: true
enforceNodeAllocatable: []
failCgroupV1: false
failSwapOn: false
makeIPTablesUtilChains: false
resolvConf: ""
volumePluginDir: /var/lib/kubelet/volume-plugins
evictionHard: {memory.available: 1Mi, nodefs.available: 1Mi, imagefs.available: 1Mi}
imageGCHighThresholdPercent: 100
maxPods: 250
`

// startKubelet starts it and returns when the node takes pods.
func (n *Node) startKubelet(ctx context.Context, plane *controlplane.ControlPlane) error {
	const attempts = 3
	for attempt := 1; ; attempt++ {
		port, err := freePort(n.Address())
		if err != nil {
			return err
		}
		files := plane.Kubelet()
		config, err := n.write("kubelet.yaml", fmt.Sprintf(kubeletFormat,
			n.Address(), port, files.Serving.Cert, files.Serving.Key, files.ClientCA, socket, n.host.Cgroup))
		if err != nil {
			return err
		}
		p, err := n.launch("kubelet", filepath.Join(n.config.Bin, "kubelet"),
			"--config="+config,
			"--kubeconfig="+files.Kubeconfig,
			"--hostname-override="+Name,
			"--node-ip="+n.Address(),
		)
		if err != nil {
			return err
		}
		err = await(ctx, p, plane.NodeReady)
		// The port was free when it was picked, and may be taken when it is opened.
		if err == nil || attempt == attempts || !strings.Contains(err.Error(), "address already in use") {
			return err
		}
		p.Stop(stopGrace)
		n.running = n.running[:len(n.running)-1]
	}
}

// freePort returns a TCP port of host that nothing listens on.
func freePort(host string) (int, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return 0, fmt.Errorf("finding a free port: %w", err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
