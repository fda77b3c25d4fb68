package resume

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/certwire/certwire/pkg/inventory"
	"github.com/certwire/certwire/pkg/ledger"
	"github.com/certwire/certwire/pkg/policy"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// desk is what a Resumer works with, and what came of it.
type desk struct {
	now     time.Time
	waiting []*inventory.Request
	budget  policy.Budget
	owner   *metav1.OwnerReference
	fails   error
	retried []string
	told    []string
	resumer *Resumer
	unknown bool
}

func (d *desk) Refused() []*inventory.Request { return d.waiting }
func (d *desk) Owner(_, certificate string) (self, owner *metav1.OwnerReference) {
	if certificate == "" {
		return nil, nil
	}
	return &metav1.OwnerReference{APIVersion: "cert-manager.io/v1", Kind: "Certificate", Name: certificate, UID: "c"}, d.owner
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{now: noon}
	d.resumer = &Resumer{
		Waiting: d, Now: func() time.Time { return d.now }, Log: testr.New(t),
		Order: func(r *inventory.Request) (ledger.Order, bool) {
			return ledger.Order{Namespace: r.Namespace, Domains: []string{"example.com"}}, !d.unknown
		},
		Assess: func(ledger.Order) policy.Budget { return d.budget },
		Retry: func(_ context.Context, namespace, name string, _ time.Time) error {
			d.retried = append(d.retried, namespace+"/"+name)
			return d.fails
		},
		Tell: func(on *corev1.ObjectReference, reason, text string) {
			d.told = append(d.told, on.Kind+" "+on.Name+" "+reason+" "+text)
		},
	}
	d.resumer.Prepare()
	d.resumer.told, d.resumer.retried = map[types.UID]string{}, map[types.UID]attempt{}
	return d
}

func request(name string, age time.Duration) *inventory.Request {
	return &inventory.Request{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, UID: types.UID(name), CreationTimestamp: metav1.NewTime(noon.Add(-age)),
		},
		Certificate: "web", Refusal: "Order shop/web-1 is not placed at ca.test: used up",
	}
}

func allows(left int64) policy.Budget {
	return policy.Budget{Known: true, Allowed: true, Bucket: policy.Bucket{Count: left}}
}

func refuses(until time.Time) policy.Budget {
	return policy.Budget{Known: true, Bucket: policy.Bucket{Count: 5, Used: 5, Next: until}}
}

func TestWhatIsRefusedIsToldOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.owner = &metav1.OwnerReference{APIVersion: "networking.k8s.io/v1", Kind: "Ingress", Name: "front"}
	d.waiting, d.budget = []*inventory.Request{request("web-1", time.Minute)}, refuses(noon.Add(time.Hour))
	d.resumer.look(t.Context())
	d.resumer.look(t.Context())
	text := d.waiting[0].Refusal
	want := []string{"Certificate web OrderRefused " + text, "Ingress front OrderRefused " + text}
	if !slices.Equal(d.told, want) {
		t.Errorf("told %q, want %q", d.told, want)
	}
	d.waiting[0].Refusal = "Order shop/web-1 is not placed at ca.test: until later"
	d.resumer.look(t.Context())
	if len(d.told) != 4 {
		t.Errorf("a new text was not told: %q", d.told)
	}
	d.waiting = nil
	d.resumer.look(t.Context())
	if len(d.resumer.told) != 0 || len(d.resumer.retried) != 0 {
		t.Error("who waits no longer is remembered")
	}
}

func TestNothingIsTriedBeforeItsTime(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.waiting, d.budget = []*inventory.Request{request("web-1", time.Minute)}, refuses(noon.Add(9*time.Second))
	if next := d.resumer.look(t.Context()); !next.Equal(noon.Add(9 * time.Second)) {
		t.Errorf("looks again at %s", next)
	}
	if len(d.retried) != 0 {
		t.Errorf("tried %v", d.retried)
	}
}

func TestTheOldestGoFirstAndNoMoreThanTheBudgetAllows(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for i := range 10 {
		d.waiting = append(d.waiting, request(fmt.Sprint("web-", i), time.Duration(i)*time.Minute))
	}
	d.budget = allows(3)
	d.resumer.look(t.Context())
	if want := []string{"shop/web-9", "shop/web-8", "shop/web-7"}; !slices.Equal(d.retried, want) {
		t.Errorf("tried %v, want %v", d.retried, want)
	}
}

func TestATryInVainIsRepeatedMoreAndMoreRarely(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.waiting, d.budget = []*inventory.Request{request("web-1", time.Minute)}, allows(5)
	var at []time.Duration
	for range 4000 {
		before := len(d.retried)
		d.resumer.look(t.Context())
		if len(d.retried) > before {
			at = append(at, d.now.Sub(noon))
		}
		d.now = d.now.Add(time.Second)
	}
	for i := 1; i < len(at); i++ {
		if gap := at[i] - at[i-1]; i > 1 && gap < at[i-1]-at[i-2] || gap > longest {
			t.Errorf("tried at %v", at)
		}
	}
	if len(at) < 10 || len(at) > 30 {
		t.Errorf("tried %d times in 4000 s: %v", len(at), at)
	}
	d.waiting[0].Refusal = "Order shop/web-1 is not placed at ca.test: another text"
	before := len(d.retried)
	d.resumer.look(t.Context())
	if len(d.retried) != before+1 {
		t.Error("a new refusal waits for the old one's pause")
	}
}

func TestWhatTimeDoesNotChangeIsNotTried(t *testing.T) {
	t.Parallel()
	for sentence, change := range map[string]func(*desk){
		"what another rule refused":          func(d *desk) { d.waiting[0].Refusal = "not production. More: " + policy.Docs(policy.ProductionCA) },
		"what is ordered from an unknown CA": func(d *desk) { d.unknown = true },
		"what has no time":                   func(d *desk) { d.budget = refuses(time.Time{}) },
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.waiting, d.budget = []*inventory.Request{request("web-1", time.Minute)}, allows(5)
			change(d)
			if next := d.resumer.look(t.Context()); next.Before(noon.Add(time.Second)) {
				t.Errorf("looks again at %s", next)
			}
			if len(d.retried) != 0 {
				t.Errorf("tried %v", d.retried)
			}
		})
	}
}

func TestAnAPIServerThatIsAwayIsAskedAgain(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.waiting, d.budget, d.fails = []*inventory.Request{request("web-1", time.Minute)}, allows(5), errors.New("away")
	next := d.resumer.look(t.Context())
	d.now, d.fails = next.Add(time.Minute), nil
	d.resumer.look(t.Context())
	if len(d.retried) != 2 {
		t.Errorf("tried %v", d.retried)
	}
}

func TestWakeNeverBlocksAndRunEnds(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); d.resumer.Run(ctx) }()
	for range 1000 {
		d.resumer.Wake()
	}
	cancel()
	<-done
}
