package agent

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/certwire/certwire/test/pods"
)

func TestTheAgentIsConfined(t *testing.T) {
	t.Parallel()
	r := deploy(t, pods.Nginx(map[string]string{"certwire.dev/preset": "nginx"}))
	r.settle()
	pid := r.process(agentContainer)
	status := procStatus(t, pid)
	for key, want := range map[string]string{
		"CapEff": "0000000000000000", "CapPrm": "0000000000000000", "CapBnd": "0000000000000000",
		"NoNewPrivs": "1", "Seccomp": "2",
		"Uid": fmt.Sprintf("%[1]d\t%[1]d\t%[1]d\t%[1]d", pods.UID), // the server's own, whom it may signal
	} {
		if status[key] != want {
			t.Errorf("%s is %q, want %q", key, status[key], want)
		}
	}
	t.Logf("it has %s resident", status["VmRSS"])

	const token = "/var/run/secrets/kubernetes.io/serviceaccount"
	if files, err := os.ReadDir(fmt.Sprintf("/proc/%d/root%s", pid, token)); err != nil || len(files) > 0 {
		t.Errorf("it has an API token: %v, %v", files, err)
	}
	if files, err := os.ReadDir(fmt.Sprintf("/proc/%d/root%s", r.process("server"), token)); err != nil || len(files) == 0 {
		t.Errorf("the server has lost its token: %v, %v", files, err)
	}
	mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
	r.must(err)
	for line := range strings.Lines(string(mounts)) {
		// The mount point is field 5, its options are field 6 (proc(5)).
		if f := strings.Fields(line); f[4] == "/" || strings.HasPrefix(f[4], "/certwire/volumes/") {
			if f[5] != "ro" && !strings.HasPrefix(f[5], "ro,") {
				t.Errorf("it may write to %s (%s)", f[4], f[5])
			}
		}
	}
}
