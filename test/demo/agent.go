package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/certwire/certwire/test/harness"
)

// inPods is what the demo plays where pods run, with a CA.
var inPods = []step{
	{
		sentence: "The agent (this part needs a node, and that root): a pod's template says how its server takes up a new certificate.",
		commands: []string{
			"kubectl label namespace shop certwire.dev/reload=auto",
			"kubectl apply -f docs/demo/server-certificate.yaml",
			"kubectl wait --for=condition=Ready certificate/server -n shop",
			"kubectl apply -f docs/demo/server-deployment.yaml",
			"kubectl wait --for=jsonpath='{.status.readyReplicas}'=3 deployment/server -n shop --timeout=3m",
			`kubectl get pods -n shop -l app=server -o custom-columns='INIT CONTAINERS:.spec.initContainers[*].name,CONTAINERS:.spec.containers[*].name'`,
			"kubectl wait --for=create certificatedelivery/server -n shop --timeout=1m > /dev/null",
			"kubectl wait --for=jsonpath='{.status.state}'=Delivered certificatedelivery/server -n shop --timeout=3m",
		},
	},
	{
		sentence: "The certificate is issued anew, and certwire takes it to the wire: it has the kubelet bring the files, the agents tell the servers, which read them once, and every replica is dialled until it serves the new leaf. Nothing has restarted.",
		commands: []string{
			"kubectl delete secret server-tls -n shop",
			"kubectl wait --for=jsonpath='{.status.revision}'=2 certificatedelivery/server -n shop --timeout=3m",
			"kubectl wait --for=jsonpath='{.status.state}'=Delivered certificatedelivery/server -n shop --timeout=3m",
			`kubectl get certificatedelivery server -n shop -o custom-columns='REPLICAS:.status.replicas,FROM THE ISSUANCE TO ALL OF THEM:.status.lag'`,
			`kubectl get pods -n shop -l app=server -o custom-columns='RESTARTS:.status.containerStatuses[*].restartCount'`,
		},
	},
	{
		sentence: "The whole chain, with the serial number at each layer.",
		commands: []string{"kubectl certwire check server -n shop"},
	},
}

// start starts a cluster with a node where there can be one, and one without elsewhere. The folder is for what its pods
// run.
func start(ctx context.Context, progress io.Writer, folder string) (c *harness.Cluster, node bool, err error) {
	if os.Geteuid() != 0 || os.Getenv("KUBECONFIG") != "" {
		c, err = harness.Start(ctx, progress)
		return c, false, err
	}
	flags := []string{"--node"}
	for name, program := range map[string]string{"ghcr.io/certwire/agent:v0.1.0": "./cmd/agent", "registry.example.com/server:1.0": "./test/agent/app"} {
		binary := filepath.Join(folder, filepath.Base(program))
		build := exec.CommandContext(ctx, "go", "build", "-tags", "nethttpomithttp2", "-ldflags", "-s -w", "-o", binary, program)
		build.Dir, build.Stdout, build.Stderr = harness.Root(), progress, progress
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if err := build.Run(); err != nil {
			return nil, false, fmt.Errorf("building %s: %w", program, err)
		}
		flags = append(flags, "--image="+name+"="+binary)
	}
	c, err = harness.Start(ctx, progress, flags...)
	if harness.MaySkip(err) {
		fmt.Fprintln(progress, "demo: the part with pods is left out:", err)
		c, err = harness.Start(ctx, progress)
		return c, false, err
	}
	return c, err == nil, err
}
