package cluster

import (
	"testing"

	"github.com/certwire/certwire/pkg/mutate"
)

func TestFeaturesOfVersions(t *testing.T) {
	t.Parallel()
	const sidecars, restarts = "native sidecars need 1.29", "restarting all containers needs 1.36"
	for sentence, c := range map[string]struct {
		versions Versions
		want     mutate.Features
	}{
		"everything is new": {Versions{"v1.37.2", []Node{{"a", "v1.36.0"}}}, mutate.Features{}},
		"an old API server": {Versions{"v1.28.1-eks-1", nil}, mutate.Features{NativeSidecars: "the API server is v1.28.1-eks-1, and " + sidecars, RestartAllContainers: "the API server is v1.28.1-eks-1, and " + restarts}},
		"one older node":    {Versions{"v1.37.2", []Node{{"a", "v1.37.0"}, {"b", "v1.35.9"}}}, mutate.Features{RestartAllContainers: "the kubelet of node b is v1.35.9, and " + restarts}},
		"a node that says nothing": {Versions{"v1.37.2", []Node{{"a", ""}}}, mutate.Features{
			NativeSidecars: "the kubelet of node a is of no known version, and " + sidecars, RestartAllContainers: "the kubelet of node a is of no known version, and " + restarts,
		}},
		"a version that is none": {Versions{"weird", nil}, mutate.Features{NativeSidecars: "the API server is weird, and " + sidecars, RestartAllContainers: "the API server is weird, and " + restarts}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := c.versions.Features(); got != c.want {
				t.Errorf("got %+v", got)
			}
		})
	}
}
