package delivery

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/mutate"
	"github.com/certwire/certwire/test/pods"
)

// kinds are all the servers that the tests of the agent know, each with its preset where there is one.
var kinds = map[string]struct {
	server pods.Server
	// restarts says that only a restart helps.
	restarts bool
}{
	"nginx":                                  {server: pods.Nginx(map[string]string{"certwire.dev/preset": "nginx"})},
	"HAProxy at a signal":                    {server: pods.HAProxy(map[string]string{"certwire.dev/preset": "haproxy"})},
	"HAProxy over its runtime API":           {server: pods.HAProxy(map[string]string{"certwire.dev/preset": "haproxy", "certwire.dev/socket": pods.HAProxySocket})},
	"PostgreSQL":                             {server: pods.Postgres(map[string]string{"certwire.dev/preset": "postgres"})},
	"Redis over its own port":                {server: pods.Redis(map[string]string{"certwire.dev/preset": "redis", "certwire.dev/socket": pods.RedisSocket})},
	"Redis":                                  {server: pods.Redis(map[string]string{"certwire.dev/preset": "redis"}), restarts: true},
	"MariaDB":                                {server: pods.MariaDB(map[string]string{"certwire.dev/preset": "mariadb"}), restarts: true},
	"mosquitto":                              {server: pods.Mosquitto(map[string]string{"certwire.dev/preset": "mosquitto"})},
	"a Go server that watches":               {server: pods.App("watch", nil)},
	"a Go server that is asked (HTTP)":       {server: pods.App("once", map[string]string{"certwire.dev/method": "http", "certwire.dev/http": "POST :9090/reload"})},
	"a Go server that mounts by subPath":     {server: pods.AppFromSubPath(map[string]string{"certwire.dev/method": "restart"}), restarts: true},
	"a Go server that reads its environment": {server: pods.AppFromEnvironment(map[string]string{"certwire.dev/method": "restart", "certwire.dev/verify": "8443"}), restarts: true},
}

func TestThreeReplicasOfEachKindOfServerAreProven(t *testing.T) {
	t.Parallel()
	const replicas = 3
	for sentence, k := range kinds {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			r := prepare(t)
			r.agentIsKnown()
			r.run("web", replicas, k.server)
			r.ready("web", replicas)
			r.becomes(1, v1alpha1.DeliveryDelivered, "", "3/3")
			r.settled()
			stop := r.watchReady("web")
			written := r.renew()
			d := r.becomes(2, v1alpha1.DeliveryDelivered, "", "3/3")
			t.Logf("LAG %s; proven and written down after %s", d.Status.Lag, time.Since(written).Round(100*time.Millisecond))
			least, want := stop(), int32(replicas)
			if k.restarts {
				want--
			}
			if least < want {
				t.Errorf("only %d of %d replicas were ready at a time", least, replicas)
			}
			renewals := int32(0)
			if k.restarts {
				renewals = int32(d.Status.Revision) - 1
			}
			r.haveRestarted(renewals)
			r.haveAgents(k.server.Annotations != nil)
		})
	}
}

// settled waits until the pods' servers have run so long that the agent signals them: one that has just begun may not
// catch a signal yet, and would be ended by it.
func (r *rig) settled() {
	r.t.Helper()
	const grace = 6 * time.Second
	r.eventually("the servers to have run a while", func(ctx context.Context) error {
		list, err := r.pods(ctx)
		for _, p := range list {
			for _, s := range p.Status.ContainerStatuses {
				if s.State.Running == nil || time.Since(s.State.Running.StartedAt.Time) < grace {
					return fmt.Errorf("pod %s has not", p.Name)
				}
			}
		}
		return err
	})
}

// haveAgents looks whether the agent was injected.
func (r *rig) haveAgents(want bool) {
	r.t.Helper()
	list, err := r.pods(r.t.Context())
	r.must(err)
	for _, p := range list {
		if slices.ContainsFunc(p.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == mutate.AgentName }) != want {
			r.t.Errorf("pod %s with an agent: %t", p.Name, !want)
		}
	}
}

// haveRestarted waits until all containers of each pod count a restart, and no more than there were renewals; none where
// that is 0.
func (r *rig) haveRestarted(renewals int32) {
	r.t.Helper()
	r.eventually("the restarts to be counted", func(ctx context.Context) error {
		list, err := r.pods(ctx)
		for _, p := range list {
			for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
				if s.RestartCount < min(renewals, 1) || s.RestartCount > renewals {
					return fmt.Errorf("container %s of pod %s has restarted %d times, in %d renewals", s.Name, p.Name, s.RestartCount, renewals)
				}
			}
		}
		return err
	})
}
