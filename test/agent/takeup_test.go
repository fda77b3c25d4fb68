package agent

import (
	"testing"
	"time"
)

// rounds is how often each server is given another certificate.
const rounds = 3

const haproxySocket = `tcp:127.0.0.1:9999 each
> set ssl cert /tls/site.pem <<
> {pem}
>
< Transaction (created|updated)
> commit ssl cert /tls/site.pem
< Success!`

const redisSocket = `tls:127.0.0.1:6379
> CONFIG SET tls-cert-file /tls/tls.crt tls-key-file /tls/tls.key
< ^\+OK`

// inPlace are servers that take up a certificate while they run.
var inPlace = map[string]struct {
	server server
	method string
}{
	"nginx at a signal":                {nginx(map[string]string{"certwire.dev/preset": "nginx"}), "signal"},
	"HAProxy at a signal":              {haproxy(map[string]string{"certwire.dev/preset": "haproxy"}), "signal"},
	"HAProxy over its runtime API":     {haproxy(map[string]string{"certwire.dev/socket": haproxySocket}), "socket"},
	"PostgreSQL at a signal":           {postgres(map[string]string{"certwire.dev/preset": "postgres"}), "signal"},
	"Redis over its own port":          {redis(map[string]string{"certwire.dev/preset": "redis", "certwire.dev/socket": redisSocket}), "socket"},
	"mosquitto at a signal":            {mosquitto(map[string]string{"certwire.dev/preset": "mosquitto"}), "signal"},
	"a Go server that watches":         {own("watch", nil), "self"},
	"a Go server that is asked (HTTP)": {own("once", map[string]string{"certwire.dev/http": "POST :9090/reload"}), "http"},
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
	r := deploy(t, nginx(map[string]string{"certwire.dev/preset": "nginx"}))
	r.settle()
	began := time.Now()
	next := r.leaf()
	r.write(next.Files())
	r.served(next)
	measured.note("signal: nginx, the pod not annotated", time.Since(began))
	r.restarts(nil)
}
