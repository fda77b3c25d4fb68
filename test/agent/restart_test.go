package agent

import (
	"testing"
	"time"

	"github.com/certwire/certwire/test/pods"
)

// restarted are servers that only a restart helps.
var restarted = map[string]pods.Server{
	"a Go server that reads its files once": pods.App("once", map[string]string{"certwire.dev/method": "restart"}),
	"a Go server that mounts by subPath":    pods.AppFromSubPath(map[string]string{"certwire.dev/method": "restart"}),
	"a Go server that reads its environment": pods.AppFromEnvironment(map[string]string{
		"certwire.dev/method": "restart", "certwire.dev/verify": "8443",
	}),
	"PostgreSQL": pods.Postgres(map[string]string{"certwire.dev/method": "restart", "certwire.dev/verify": "5432+postgres"}),
	"MariaDB":    pods.MariaDB(map[string]string{"certwire.dev/preset": "mariadb"}),
	"Redis":      pods.Redis(map[string]string{"certwire.dev/preset": "redis"}),
}

func TestARestartInPlaceServesTheNewCertificate(t *testing.T) {
	t.Parallel()
	for sentence, s := range restarted {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			r := deploy(t, s)
			r.settle()
			began := time.Now()
			next := r.replace()
			r.served(next)
			measured.note("restart: "+sentence, time.Since(began))
			r.restarts(map[string]int32{"": 1})
			r.said("certificate is served", "method", "restart", "outcome", "served")
			r.stillServes(next)
		})
	}
}

func TestARestartWaitsForItsPermit(t *testing.T) {
	t.Parallel()
	r := deploy(t, pods.Counted(pods.App("once", map[string]string{"certwire.dev/method": "restart", "certwire.dev/agent": "deadline=1h spread=1s"})))
	r.settle()
	next := r.leaf()
	r.write(next.Files())
	r.poke()
	r.said("restart waits for its permit", "state", "awaiting-permit", "method", "restart")

	other := r.leaf()
	r.permit(other) // for a leaf that is not there
	r.answers("/file", next.Chain[0].SerialNumber.Text(16))
	r.stillServes(r.first)
	r.restarts(nil)

	r.permit(next)
	r.served(next)
	r.restarts(map[string]int32{"": 1})
	r.answers("/starts", "2") // the init container ran once more
}

func TestARestartActsAloneAfterItsDeadline(t *testing.T) {
	t.Parallel()
	const deadline = 4 * time.Second
	r := deploy(t, pods.App("once", map[string]string{"certwire.dev/method": "restart", "certwire.dev/agent": "deadline=4s spread=2s"}))
	r.settle()
	began := time.Now()
	next := r.leaf()
	r.write(next.Files())
	r.poke()
	r.served(next)
	if took := time.Since(began); took < deadline {
		t.Errorf("it restarted after %s, before the deadline", took)
	}
	r.restarts(map[string]int32{"": 1})
	r.said("certificate is served", "method", "restart")
}
