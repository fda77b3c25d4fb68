package delivery

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/certwire/certwire/pkg/inventory"
	"github.com/certwire/certwire/pkg/probe"
)

// crowd is a world whose Certificates come and go while it is looked at.
type crowd struct {
	*world

	mu   sync.Mutex
	gone bool
}

func (c *crowd) Issued(namespace, name string) (inventory.Issued, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return inventory.Issued{}, false
	}
	return c.world.Issued(namespace, name)
}

// silent listens, accepts and never answers. It returns its address, and what ends it with all of its connections.
func silent(t *testing.T) (address string, end func()) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	var open []net.Conn
	accepting.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			open = append(open, conn)
		}
	})
	return listener.Addr().String(), func() {
		_ = listener.Close()
		accepting.Wait()
		for _, conn := range open {
			_ = conn.Close()
		}
	}
}

// until waits for a condition; the test's own limit ends it.
func until(is func() bool) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		<-tick.C
	}
}

// known is how many Certificates are remembered, and shown how many of them have been looked at.
func (w *world) known() int {
	w.run.mu.Lock()
	defer w.run.mu.Unlock()
	return len(w.run.known)
}

func (w *world) shown() (n int) {
	w.run.mu.Lock()
	defer w.run.mu.Unlock()
	for _, m := range w.run.known {
		if m.shown.state != "" {
			n++
		}
	}
	return n
}

// TestNothingIsLeftOfCertificatesThatAreGone is not parallel: it counts goroutines. The listener is real, and so are the dials.
func TestNothingIsLeftOfCertificatesThatAreGone(t *testing.T) {
	const many = 500
	before := runtime.NumGoroutine()
	address, end := silent(t)
	w := newWorld(t)
	c := &crowd{world: w}
	controller := w.run.Controller
	controller.Cluster, controller.Log = c, logr.Discard()
	controller.Tell = func(*corev1.ObjectReference, string, string) {}
	controller.Dial = func(ctx context.Context, to probe.Target) probe.Result {
		to.Address, to.Timeout = address, 20*time.Millisecond
		return probe.Dial(ctx, to)
	}
	names := make([]string, many)
	for i := range many {
		names[i] = fmt.Sprintf("c-%d", i)
		w.issue(names[i], fmt.Sprintf("%x", i+1))
		secret := names[i] + "-tls"
		w.must(w.run.pods.Add(&Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: names[i], UID: types.UID(names[i])}, Workload: "Deployment/" + names[i],
			Secrets: []string{secret}, Fresh: []string{secret}, IP: fmt.Sprintf("10.0.%d.%d", i/250, i%250+1), Ready: true,
			Started: w.now.Add(-time.Hour), Ports: map[string][]uint16{secret: {8443}},
		}))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var serving sync.WaitGroup
	serving.Go(func() { w.run.serve(ctx) })
	controller.running.Store(w.run)
	until(func() bool { return runtime.NumGoroutine() >= before+workers })

	add := func() {
		for _, name := range names {
			controller.Add("shop", name)
		}
	}
	add()
	until(func() bool { return w.shown() == many })
	if n := len(series(t, controller, false)); n != 4*many { // state, divergence, endpoints that are current and unreachable
		t.Errorf("%d series", n)
	}
	c.mu.Lock()
	c.gone = true
	c.mu.Unlock()
	for _, pod := range w.run.pods.List() {
		w.must(w.run.pods.Delete(pod))
	}
	add()
	until(func() bool { return w.known() == 0 })
	if got := series(t, controller, false); len(got) != 0 {
		t.Errorf("%d series are left, the first is %s", len(got), got[0])
	}

	cancel()
	serving.Wait()
	end()
	w.run.mu.Lock()
	defer w.run.mu.Unlock()
	for what, n := range map[string]int{
		"Certificates": len(w.run.known), "claims": len(w.run.claimed), "turns": len(w.run.rolling), "restarts": len(w.run.restarting),
		"keys": w.run.queue.Len() + w.run.calm.Len(),
	} {
		if n != 0 {
			t.Errorf("%d %s are remembered", n, what)
		}
	}
	if n := controller.probes.unreachable.Load(); n < many {
		t.Errorf("%d dials of %d", n, many)
	}
	until(func() bool { return runtime.NumGoroutine() <= before })
}
