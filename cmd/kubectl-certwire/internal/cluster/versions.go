package cluster

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/certwire/certwire/pkg/mutate"
)

// The minor versions of Kubernetes 1 from which a feature is on by default (the feature gates SidecarContainers and
// RestartAllContainersOnContainerExits).
const (
	nativeSidecarsSince       = 29
	restartAllContainersSince = 36
)

// Versions are those of the API server and of the nodes that run Linux.
type Versions struct {
	Server string
	Nodes  []Node
}

// Node is one node and its kubelet's version.
type Node struct{ Name, Kubelet string }

// Versions asks for them. With an error of listing nodes, the server's is there all the same.
func (c *Cluster) Versions(ctx context.Context) (Versions, error) {
	server, err := c.Discovery.ServerVersion()
	if err != nil {
		return Versions{}, fmt.Errorf("asking for the API server's version: %w", err)
	}
	v := Versions{Server: server.GitVersion}
	var nodes corev1.NodeList
	if err := c.List(ctx, &nodes); err != nil {
		return v, err
	}
	for _, n := range nodes.Items {
		if n.Status.NodeInfo.OperatingSystem != string(corev1.Windows) {
			v.Nodes = append(v.Nodes, Node{n.Name, n.Status.NodeInfo.KubeletVersion})
		}
	}
	slices.SortFunc(v.Nodes, func(a, b Node) int { return strings.Compare(a.Name, b.Name) })
	return v, nil
}

// Features says what the versions have by default. Whether a feature gate is switched off does not show in them.
func (v Versions) Features() mutate.Features {
	return mutate.Features{
		NativeSidecars:       v.tooOld("native sidecars need", nativeSidecarsSince),
		RestartAllContainers: v.tooOld("restarting all containers needs", restartAllContainersSince),
	}
}

func (v Versions) tooOld(what string, since int) string {
	if minor(v.Server) < since {
		return fmt.Sprintf("the API server is %s, and %s 1.%d", v.Server, what, since)
	}
	for _, n := range v.Nodes {
		if minor(n.Kubelet) < since {
			return fmt.Sprintf("the kubelet of node %s is %s, and %s 1.%d", n.Name, cmp.Or(n.Kubelet, "of no known version"), what, since)
		}
	}
	return ""
}

// minorOf finds the minor version in what servers and kubelets report, such as v1.37.2 or v1.31.4-eks-0af8b11.
var minorOf = regexp.MustCompile(`^v1\.(\d{1,4})\b`)

// minor is -1 for a version that cannot be read.
func minor(v string) int {
	m := minorOf.FindStringSubmatch(v)
	if m == nil {
		return -1
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return -1
	}
	return n
}
