package controlplane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/certwire/certwire/test/cluster/internal/pki"
)

// Node is the machine that pods are to run on.
type Node struct {
	// Name is the node's.
	Name string
	// Address is one of this machine's that pods reach. The API server and the kubelet
	// listen on it.
	Address string
}

// KubeletFiles are what the kubelet needs to be part of the cluster.
type KubeletFiles struct {
	// Kubeconfig names the API server and holds the node's own certificate.
	Kubeconfig string
	// Serving is the same certificate, and ClientCA the authority of its callers.
	Serving  pki.Pair
	ClientCA string
}

// Kubelet returns them. They are there once Start has returned.
func (cp *ControlPlane) Kubelet() KubeletFiles {
	return KubeletFiles{Kubeconfig: cp.kubeconfigOf("kubelet"), Serving: cp.creds.kubelet, ClientCA: cp.creds.ca.Cert}
}

// ofNode lists the certificates that a node makes necessary. The kubelet's user and
// group are what the Node authorizer and NodeRestriction know it by.
// https://kubernetes.io/docs/reference/access-authn-authz/node/
func (c *credentials) ofNode(node *Node) []leaf {
	return []leaf{
		{&c.scheduler, "scheduler", pki.Subject{Name: "system:kube-scheduler"}},
		{&c.kubelet, "kubelet", pki.Subject{
			Name: "system:node:" + node.Name, Groups: []string{"system:nodes"}, Hosts: []string{node.Address, node.Name},
		}},
		{&c.kubeletClient, "kubelet-client", pki.Subject{
			Name: "kube-apiserver-kubelet-client", Groups: []string{"system:masters"},
		}},
	}
}

// host is the address that the API server listens on.
func (cp *ControlPlane) host() string {
	if cp.config.Node == nil {
		return loopback
	}
	return cp.config.Node.Address
}

// nodeArgs are the API server's arguments that differ with a node.
func (cp *ControlPlane) nodeArgs() []string {
	if cp.config.Node == nil {
		return []string{
			// It would refuse to publish a loopback address as an endpoint.
			"--endpoint-reconciler-type=none",
			"--authorization-mode=RBAC",
		}
	}
	return []string{
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		// For logs and exec. The kubelet serves with a certificate of the same authority.
		"--kubelet-certificate-authority=" + cp.creds.ca.Cert,
		"--kubelet-client-certificate=" + cp.creds.kubeletClient.Cert,
		"--kubelet-client-key=" + cp.creds.kubeletClient.Key,
		"--kubelet-preferred-address-types=InternalIP",
	}
}

func (cp *ControlPlane) scheduler() component {
	args := func() ([]string, error) {
		return []string{
			"--kubeconfig=" + cp.kubeconfigOf("scheduler"),
			// It is the only one, and nobody asks it anything.
			"--leader-elect=false", "--secure-port=0",
		}, nil
	}
	// It has no port to be asked at. The first pod tells whether it works.
	ready := func(context.Context) error { return nil }
	return component{"kube-scheduler", args, ready}
}

// writeNodeKubeconfigs writes those that only a cluster with a node has.
func (cp *ControlPlane) writeNodeKubeconfigs() error {
	if cp.config.Node == nil {
		return nil
	}
	for name, pair := range map[string]pki.Pair{"scheduler": cp.creds.scheduler, "kubelet": cp.creds.kubelet} {
		if err := cp.writeKubeconfig(cp.kubeconfigOf(name), pair); err != nil {
			return fmt.Errorf("preparing the %s: %w", name, err)
		}
	}
	return nil
}

func (cp *ControlPlane) kubeconfigOf(component string) string {
	return filepath.Join(cp.config.Dir, component+".kubeconfig")
}

// NodeReady returns nil when the node takes pods: the kubelet says that it is
// ready, and the controller manager has taken its taints away.
func (cp *ControlPlane) NodeReady(ctx context.Context) error {
	body, err := cp.read(ctx, cp.api+"/api/v1/nodes/"+cp.config.Node.Name)
	if err != nil {
		return err
	}
	return checkNode(body)
}

// checkNode reads a Node as JSON.
func checkNode(body []byte) error {
	var node struct {
		Spec struct {
			Taints []struct{ Key string }
		}
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := json.Unmarshal(body, &node); err != nil {
		return fmt.Errorf("reading the node: %w", err)
	}
	for _, taint := range node.Spec.Taints {
		return fmt.Errorf("the node has the taint %s", taint.Key)
	}
	for _, c := range node.Status.Conditions {
		if c.Type != "Ready" {
			continue
		}
		if c.Status != "True" {
			return fmt.Errorf("the node is not ready: %s", c.Message)
		}
		return nil
	}
	return errors.New("the kubelet has not reported yet")
}
