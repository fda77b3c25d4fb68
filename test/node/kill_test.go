package node

import (
	"os"
	"syscall"
	"testing"

	"github.com/certwire/certwire/test/harness"
)

// TestAKilledRunIsCleanedUp is not parallel: two more clusters beside the first one are enough for a small machine.
func TestAKilledRunIsCleanedUp(t *testing.T) {
	killed, err := harness.Start(t.Context(), t.Output(), "--node", "--no-crds", appFlag)
	if err != nil {
		t.Fatal(err)
	}
	defer killed.Stop()
	ns := namespace(t, killed)
	secret(t, killed, ns, "old")
	start(t, killed, ns, pod())
	traces, err := tracesOf(killed)
	if err != nil {
		t.Fatal(err)
	}
	if len(traces.links) == 0 {
		t.Error("the running pod has no network interface on the bridge")
	}
	command, err := os.FindProcess(killed.PID)
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Kill(); err != nil {
		t.Fatal(err)
	}
	killed.Stop()
	// The kernel ends the kubelet and containerd with the command. What they started lives on.
	if len(traces.processes()) == 0 {
		t.Error("no process of the pod has outlived the kill: there is nothing to test")
	}

	next, err := harness.Start(t.Context(), t.Output(), "--no-crds")
	if err != nil {
		t.Fatal(err)
	}
	defer next.Stop()
	for _, left := range traces.left() {
		t.Errorf("after the next start, %s is left", left)
	}
	if err := syscall.Kill(cluster.PID, 0); err != nil {
		t.Errorf("the cluster that was not killed is gone: %v", err)
	}
}
