package delivery

import (
	"context"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/probe"
)

// Ten thousand places that never answer, and one that does. The time is that of a bubble, in which nothing but waiting takes
// any: what is measured is who waits for whom.
func TestSilentPlacesHoldNobodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const certificates, each = 200, 50
		w := newWorld(t)
		begun := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // when every bubble begins
		now := func() time.Time { return begun.Add(time.Since(begun)) }
		w.now, w.run.Now = now(), now
		w.run.Deadline = 10 * time.Second // after which those who do not answer are looked at by routine
		dialled := 0
		w.run.Dial = func(ctx context.Context, to probe.Target) probe.Result {
			if host, _, _ := net.SplitHostPort(to.Address); host == "10.9.9.9" {
				return w.dial(ctx, to)
			}
			w.mu.Lock()
			dialled++
			w.mu.Unlock()
			select {
			case <-time.After(to.Timeout):
			case <-ctx.Done():
			}
			return probe.Result{State: probe.Unreachable, Cause: probe.CauseTimeout}
		}
		add := func(certificate, name, ip string) {
			w.must(w.run.pods.Add(&Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name)}, IP: ip, Verify: "8443", Ready: true,
				Secrets: []string{certificate + "-tls"}, Started: now().Add(-time.Hour),
			}))
		}
		for c := range certificates {
			name := fmt.Sprintf("silent-%d", c)
			w.issue(name, fmt.Sprint(1000+c))
			for p := range each {
				add(name, fmt.Sprintf("%s-%d", name, p), fmt.Sprintf("10.0.%d.%d", c, p))
			}
		}
		w.issue("web", "1")
		add("web", "web", "10.9.9.9")
		w.serves["10.9.9.9"] = *w.issued["web"].Leaf

		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			w.run.serve(ctx)
			close(done)
		}()
		defer func() {
			cancel()
			<-done
		}()
		renew := func(leaf string) time.Duration {
			w.mu.Lock()
			w.now = now()
			w.mu.Unlock()
			w.issue("web", leaf)
			w.mu.Lock()
			w.serves["10.9.9.9"] = *w.issued["web"].Leaf
			w.mu.Unlock()
			from := now()
			w.run.queue.Add(types.NamespacedName{Namespace: "shop", Name: "web"})
			for {
				d := v1alpha1.CertificateDelivery{}
				err := w.client.Get(t.Context(), types.NamespacedName{Namespace: "shop", Name: "web"}, &d)
				if err == nil && d.Status.State == v1alpha1.DeliveryDelivered && d.Status.Leaf.Serial == leaf {
					return time.Since(from)
				}
				if time.Since(from) > time.Hour {
					t.Fatalf("it was not proven: %v %+v", err, d.Status)
				}
				time.Sleep(100 * time.Millisecond) // of the bubble's time
			}
		}
		time.Sleep(time.Second) // they have all begun to wait
		for leaf, when := range []string{"while nothing is known", "before all are known", "once they are known"} {
			took := renew(fmt.Sprint(leaf + 2))
			t.Logf("%s, a renewal is proven after %s", when, took)
			if took > 5*time.Second {
				t.Errorf("that is late")
			}
			time.Sleep([]time.Duration{290 * time.Second, 5 * time.Minute, 0}[leaf]) // with its own round in between
		}
		w.mu.Lock()
		before := dialled
		w.mu.Unlock()
		time.Sleep(3 * time.Minute)
		w.mu.Lock()
		defer w.mu.Unlock()
		if n := dialled - before; n == 0 || n > 32*180/5+100 {
			t.Errorf("%d dials in three minutes to places that do not answer", n)
		}
	})
}

// A place that answers again is seen in that moment, and not after the next round.
func TestASilentPlaceThatAnswersIsSeen(t *testing.T) {
	t.Parallel()
	var s silence
	now := noon
	timeout := probe.Result{State: probe.Unreachable, Cause: probe.CauseTimeout}
	if _, _, known := s.known("a", now); known || !s.answered("a", timeout, now) {
		t.Error("a place that nobody dialled is known")
	}
	if _, again, known := s.known("a", now); !known || !again {
		t.Error("it is asked again at once, on the side")
	}
	if _, again, known := s.known("a", now); !known || again {
		t.Error("it is asked by one at a time")
	}
	s.answered("a", timeout, now)
	for _, pause := range []time.Duration{firstPause, 2 * firstPause, 4 * firstPause} {
		if _, again, _ := s.known("a", now.Add(pause-1)); again {
			t.Errorf("it is asked before %s", pause)
		}
		now = now.Add(pause)
		if _, again, _ := s.known("a", now); !again {
			t.Errorf("it is not asked after %s", pause)
		}
		s.answered("a", timeout, now)
	}
	if s.answered("a", probe.Result{State: probe.Unreachable, Cause: probe.CauseRefused}, now) {
		t.Error("who refuses is not silent")
	}
	if _, _, known := s.known("a", now); known {
		t.Error("it is silent no more")
	}
	s.answered("b", timeout, now)
	s.answered("c", timeout, now.Add(time.Hour))
	if len(s.places) != 1 {
		t.Errorf("%d are remembered", len(s.places))
	}
}

// A replica that takes over finds every pod as if it had just come, and must not take that for news.
func TestWhatIsThereBeforeARunServesIsNoEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.issue("web", "1")
		pod := &Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "web"}, Secrets: []string{"web-tls"}}
		handler := w.run.handler(w.run.onPod)
		handler.OnAdd(pod, true)
		time.Sleep(time.Minute) // of the bubble's time
		if w.run.queue.Len() != 0 {
			t.Error("what was there is looked after before its time")
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			w.run.serve(ctx) // which has Certificates, and no pods, to look at
			close(done)
		}()
		time.Sleep(time.Minute)
		cancel()
		<-done
		w.run.queue = newQueue()
		defer w.run.shutDown()
		handler.OnAdd(pod, false)
		time.Sleep(time.Minute)
		if w.run.queue.Len() != 1 {
			t.Error("a pod that comes is not looked at")
		}
	})
}
