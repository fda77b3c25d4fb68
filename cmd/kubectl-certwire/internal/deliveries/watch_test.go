package deliveries

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

func TestWatchTellsOfEachChange(t *testing.T) {
	t.Parallel()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	first := delivery("web", v1alpha1.DeliveryDelivering, "")
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(&first).Build()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lines := make(chan string, 100)
	var running sync.WaitGroup
	running.Go(func() {
		stream := &Stream{W: writer(lines), Style: Style{Now: now}}
		if err := Watch(ctx, c, []client.ListOption{client.InNamespace("shop")}, stream.Line); err != nil {
			t.Error(err)
		}
	})
	next := func(want string) {
		t.Helper()
		if got := strings.Join(strings.Fields(<-lines), " "); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	next("CERTIFICATE STATE")
	next("web Delivering")
	// A watch begins when it does: what happens before is seen when it is written once more.
	for i, seen := 0, false; !seen; i++ {
		d := first.DeepCopy()
		if err := c.Get(ctx, client.ObjectKeyFromObject(d), d); err != nil {
			t.Fatal(err)
		}
		d.Labels = map[string]string{"try": strings.Repeat("x", i%60)} // no change of what it says
		d.Status.State, d.Status.Cause = v1alpha1.DeliveryStale, "partial"
		if err := c.Update(ctx, d); err != nil {
			t.Fatal(err)
		}
		select {
		case line := <-lines:
			seen = true
			if !strings.HasPrefix(strings.Join(strings.Fields(line), " "), "web Stale 2/3 partial") {
				t.Errorf("%q", line)
			}
		default:
		}
	}
	if err := c.Create(ctx, &v1alpha1.CertificateDelivery{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "api"}}); err != nil {
		t.Fatal(err)
	}
	next("api Pending")
	if err := c.Delete(ctx, &first); err != nil {
		t.Fatal(err)
	}
	next("web (gone)")
	cancel()
	running.Wait()
	if len(lines) > 0 {
		t.Errorf("there is more: %q", <-lines)
	}
}

// writer sends each line that is written.
type writer chan string

func (w writer) Write(b []byte) (int, error) {
	w <- string(b)
	return len(b), nil
}

func TestColumnsOfAStreamStayWhereTheyAre(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := &Stream{W: &out, Style: Style{Now: now}}
	for _, name := range []string{"a-name-that-is-quite-long", "b"} {
		d := delivery(name, v1alpha1.DeliveryStale, "partial")
		for range 2 { // the second one is no news
			if err := s.Line(&d, false); err != nil {
				t.Fatal(err)
			}
		}
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || strings.Index(lines[1], "Stale") != strings.Index(lines[2], "Stale") {
		t.Errorf("%s", out.String())
	}
}
