package delivery

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/test/pods"
)

// faults are what a server can do wrong, and what of it is seen.
var faults = map[string]struct{ state, cause string }{
	"silent":             {"unreachable", "timeout"},  // accepts, and never says a word
	"garbage":            {"not-tls", "plain"},        // answers with other bytes
	"flood":              {"unreachable", "protocol"}, // sends a chain of a megabyte
	"reset":              {"unreachable", "reset"},    // resets every connection
	"client-certificate": {"current", ""},             // demands one, which the probe has not
}

func TestABrokenServerHasOneClearState(t *testing.T) {
	t.Parallel()
	r, other := prepare(t), prepare(t)
	other.deploy("web", server{from: "watch", replicas: 2, port: 8443})
	r.deploy("good", server{from: "watch", replicas: 1, port: 8443})
	for fault := range faults {
		r.run(fault, 1, faulty(fault))
	}
	for fault := range faults {
		r.ready(fault, 1)
	}
	want := map[string]string{"good": "current"}
	for fault, is := range faults {
		want[fault] = strings.TrimSpace(is.state + " " + is.cause)
	}
	for revision := range int64(2) {
		if revision > 0 {
			r.renew()
			other.renew()
			d := other.becomes(2, v1alpha1.DeliveryDelivered, "", "2/2") // nobody else is held up
			t.Logf("LAG of another Certificate beside them: %s", d.Status.Lag)
		}
		r.becomes(revision+1, v1alpha1.DeliveryUnverified, "not-tls", "2/6")
		r.eventually(fmt.Sprintf("revision %d to be seen right everywhere", revision+1), func(ctx context.Context) error {
			d, err := r.delivery(ctx)
			if err != nil {
				return err
			}
			if diff := cmp.Diff(want, statesOf(d, want)); diff != "" { // at first a pod may be Ready and its TLS port not open
				return fmt.Errorf("(-want +got):\n%s", diff)
			}
			return nil
		})
	}
}

// statesOf are the states of workloads with one pod each, by the workloads' names, which are the keys of names.
func statesOf(d *v1alpha1.CertificateDelivery, names map[string]string) map[string]string {
	got := map[string]string{}
	for _, e := range d.Status.Endpoints {
		for name := range names {
			if strings.HasPrefix(e.Pod, name+"-") {
				got[name] = strings.TrimSpace(e.State + " " + e.Cause)
			}
		}
	}
	return got
}

// faulty is our own server with a fault at its TLS port. The kubelet asks it at another one.
func faulty(fault string) pods.Server {
	s := askedAside(pods.App("watch", nil))
	change := s.Change
	s.Change = func(p *corev1.PodSpec) {
		change(p)
		p.Containers[0].Args = append(p.Containers[0].Args, "--fault="+fault)
	}
	return s
}

// askedAside has the kubelet ask one of our own servers whether it is ready at a port without TLS.
func askedAside(s pods.Server) pods.Server {
	change := s.Change
	s.Change = func(p *corev1.PodSpec) {
		change(p)
		p.Containers[0].ReadinessProbe.TCPSocket.Port = intstr.Parse(pods.TestPort)
	}
	return s
}

// A NetworkPolicy drops packets without a word. The test's network has no policies, so the pod itself drops what leaves
// its TLS port; the kubelet, which policies do not hold up, still reaches it at another one.
func TestWhatAPolicyBlocksIsUnreachable(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	r.run("web", 2, askedAside(pods.App("watch", nil)))
	r.ready("web", 2)
	r.becomes(1, v1alpha1.DeliveryDelivered, "", "2/2")

	list, err := r.pods(t.Context())
	r.must(err)
	allow := r.block(&list[0], 8443)
	r.renew()
	r.becomes(2, v1alpha1.DeliveryUnverified, "unreachable", "1/2", func(s status) bool {
		e := s.Endpoints[0]
		return e.Pod == list[0].Name && e.State == "unreachable" && e.Cause == "timeout"
	})
	if got := r.events(); slices.Contains(got, "CertificateStale") {
		t.Errorf("there are Events %q", got)
	}

	allow()
	r.renew()
	r.becomes(3, v1alpha1.DeliveryDelivered, "", "2/2")
}

// block drops what a pod sends from a port, by a rule of routing in the pod's own network, until the function is called.
func (r *rig) block(p *corev1.Pod, port int) (allow func()) {
	r.t.Helper()
	process, err := pods.Process(p, "server")
	r.must(err)
	rule := func(verb string) {
		out, err := exec.CommandContext(r.t.Context(), "nsenter", "--net=/proc/"+strconv.Itoa(process)+"/ns/net",
			"ip", "rule", verb, "ipproto", "tcp", "sport", strconv.Itoa(port), "blackhole").CombinedOutput()
		if err != nil {
			r.t.Fatalf("ip rule %s for %s: %v: %s", verb, net.JoinHostPort(p.Status.PodIP, strconv.Itoa(port)), err, out)
		}
	}
	rule("add") // it goes with the pod
	return func() { rule("del") }
}
