package agent

import (
	"testing"
	"time"

	"github.com/certwire/certwire/test/pods"
)

// rounds is how often each server is given another certificate.
const rounds = 3

// inPlace are servers that take up a certificate while they run.
var inPlace = map[string]struct {
	server pods.Server
	method string
}{
	"nginx at a signal":                {pods.Nginx(map[string]string{"certwire.dev/preset": "nginx"}), "signal"},
	"HAProxy at a signal":              {pods.HAProxy(map[string]string{"certwire.dev/preset": "haproxy"}), "signal"},
	"HAProxy over its runtime API":     {pods.HAProxy(map[string]string{"certwire.dev/socket": pods.HAProxySocket}), "socket"},
	"PostgreSQL at a signal":           {pods.Postgres(map[string]string{"certwire.dev/preset": "postgres"}), "signal"},
	"Redis over its own port":          {pods.Redis(map[string]string{"certwire.dev/preset": "redis", "certwire.dev/socket": pods.RedisSocket}), "socket"},
	"mosquitto at a signal":            {pods.Mosquitto(map[string]string{"certwire.dev/preset": "mosquitto"}), "signal"},
	"a Go server that watches":         {pods.App("watch", nil), "self"},
	"a Go server that is asked (HTTP)": {pods.App("once", map[string]string{"certwire.dev/http": "POST :9090/reload"}), "http"},
}

func TestANewCertificateIsServedWithoutARestart(t *testing.T) {
	t.Parallel()
	for sentence, c := range inPlace {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			r := deploy(t, c.server)
			r.settle()
			for range rounds {
				began := time.Now()
				next := r.replace()
				r.served(next)
				measured.note(c.method+": "+sentence, time.Since(began))
				r.said("certificate is served", "method", c.method, "outcome", "served", "serial", next.Chain[0].SerialNumber.Text(16))
			}
			r.restarts(nil)
		})
	}
}

func TestWithoutTheAnnotationItTakesTheKubeletsOwnTime(t *testing.T) {
	t.Parallel()
	r := deploy(t, pods.Nginx(map[string]string{"certwire.dev/preset": "nginx"}))
	r.settle()
	began := time.Now()
	next := r.leaf()
	r.write(next.Files())
	r.served(next)
	measured.note("signal: nginx, the pod not annotated", time.Since(began))
	r.restarts(nil)
}
