package agent

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/certwire/certwire/test/pods"
)

// reloads is how often a server under load is reloaded.
const reloads = 5

func TestNoRequestFailsDuringReloads(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]pods.Server{
		"nginx":                        pods.Nginx(map[string]string{"certwire.dev/preset": "nginx"}),
		"HAProxy at a signal":          pods.HAProxy(map[string]string{"certwire.dev/preset": "haproxy"}),
		"HAProxy over its runtime API": pods.HAProxy(map[string]string{"certwire.dev/socket": pods.HAProxySocket}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := deploy(t, s)
			r.settle()
			l := r.load()
			for range reloads {
				before := l.answered.Load()
				r.served(r.replace())
				r.eventually(pollEvery, "some more requests", func(context.Context) error {
					if t.Failed() {
						t.Fatal(r.shown())
					}
					if l.answered.Load() < before+50 {
						return errors.New("there were few")
					}
					return nil
				})
			}
			l.stop()
			t.Logf("%d requests were answered in %d reloads", l.answered.Load(), reloads)
			r.restarts(nil)
		})
	}
}

func TestAnAnswerThatBeganBeforeAReloadIsFinished(t *testing.T) {
	t.Parallel()
	r := deploy(t, pods.Nginx(map[string]string{"certwire.dev/preset": "nginx"}))
	r.settle()
	var answer string
	var err error
	var done sync.WaitGroup
	done.Go(func() { answer, err = get(t.Context(), insecure(false), "https://"+r.address("8443")+"/slow") })
	r.served(r.replace())
	r.served(r.replace())
	done.Wait()
	if err != nil || answer != pods.NginxConfig {
		t.Errorf("%d of %d bytes came: %v", len(answer), len(pods.NginxConfig), err)
	}
}

// load are clients that ask a server without a break, some on connections that they keep, and some on new ones.
type load struct {
	answered atomic.Int64
	stop     func()
}

func (r *rig) load() *load {
	const clients = 2 // of each kind: the machine is small
	l := &load{}
	ctx, cancel := context.WithCancel(r.t.Context())
	var all sync.WaitGroup
	for i := range 2 * clients {
		client := insecure(i%2 == 0)
		all.Go(func() {
			for ctx.Err() == nil {
				body, err := get(context.WithoutCancel(ctx), client, "https://"+r.address("8443")+"/")
				if err != nil || body != "ok" {
					r.t.Errorf("a request failed: %q, %v", body, err)
					return
				}
				l.answered.Add(1)
			}
		})
	}
	l.stop = func() { cancel(); all.Wait() }
	r.t.Cleanup(l.stop)
	return l
}
