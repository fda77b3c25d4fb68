package delivery

import (
	"strings"
	"testing"
	"time"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/certwire/certwire/pkg/diagnose"
	"github.com/certwire/certwire/pkg/inventory"
	"github.com/certwire/certwire/pkg/policy"
)

// Issuance is what a test has said of it; without that, every Certificate is issued.
func (w *world) Issuance(namespace, name string) (diagnose.Facts, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f, ok := w.facts[name]; ok {
		return f, true
	}
	return diagnose.Facts{Certificate: diagnose.Certificate{Namespace: namespace, Name: name, Ready: diagnose.Condition{True: true}}}, true
}

// asks has a Certificate wait for an issuer that is not there, since now.
func (w *world) asks(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.facts == nil {
		w.facts = map[string]diagnose.Facts{}
	}
	w.facts[name] = diagnose.Facts{
		Certificate: diagnose.Certificate{Namespace: "shop", Name: name, Created: w.now, Key: true, Issuing: diagnose.Condition{True: true, Since: w.now}},
		Issuer:      diagnose.Issuer{Ref: policy.NewIssuerRef("le", "ClusterIssuer", "")},
	}
}

// learn changes what is known of its issuance.
func (w *world) learn(name string, f func(*diagnose.Facts)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	facts := w.facts[name]
	f(&facts)
	w.facts[name] = facts
}

func TestACertificateThatIsNotIssuedSaysWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issued["web"] = inventory.Issued{Namespace: "shop", Name: "web", UID: "uid-web", Secret: "web-tls"}
	w.asks("web")
	d := w.sweep("web")
	if w.says(d, "Pending 0/0 not-issued"); d.Status.Issuance != nil || d.Status.Layer != "issuance" || d.Status.Message != "" {
		t.Errorf("told before its time: %+v", d.Status)
	}
	if next, err := w.run.reconcile(t.Context(), types.NamespacedName{Namespace: "shop", Name: "web"}); err != nil || next > 30*time.Second {
		t.Errorf("looks again in %s (%v)", next, err)
	}
	w.now = w.now.Add(time.Minute)
	d = w.sweep("web")
	w.says(d, "Pending 0/0 not-issued")
	if i := d.Status.Issuance; i == nil || i.Cause != "issuer-missing" || i.Until != nil || !strings.Contains(i.Message, "ClusterIssuer le does not exist; create it") {
		t.Fatalf("it says %+v", i)
	}
	if d.Status.Message != d.Status.Issuance.Message || d.Status.Layer != "issuance" {
		t.Errorf("the delivery says %q, in layer %q", d.Status.Message, d.Status.Layer)
	}
	before := d.ResourceVersion
	for range 3 {
		d = w.sweep("web")
	}
	if len(w.told) != 1 || !strings.HasPrefix(w.told[0], "IssuanceStuck: ClusterIssuer le does not exist") || d.ResourceVersion != before {
		t.Errorf("told %q, version %s then %s", w.told, before, d.ResourceVersion)
	}
	until := w.now.Add(time.Hour)
	w.learn("web", func(f *diagnose.Facts) {
		f.Issuer.Found, f.Issuer.Ready, f.Certificate.Issuing = true, true, diagnose.Condition{False: true}
		f.Certificate.Failed = w.now
	})
	d = w.sweep("web")
	if i := d.Status.Issuance; i == nil || i.Cause != "backoff" || !i.Until.Time.Equal(until) || len(w.told) != 2 {
		t.Errorf("it says %+v, told %q", i, w.told)
	}
	w.learn("web", func(f *diagnose.Facts) { f.Certificate = diagnose.Certificate{Ready: diagnose.Condition{True: true}} })
	w.issue("web", "a")
	if d = w.sweep("web"); d.Status.Issuance != nil || d.Status.Layer == "issuance" || strings.Contains(d.Status.Message, "ClusterIssuer") {
		t.Errorf("issued, it says %+v", d.Status)
	}
}

func TestAStuckRenewalShowsWhileTheOldCertificateIsDelivered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issue("web", "a")
	w.pod("web-1", "", w.issued["web"].Leaf, "web-tls")
	w.sweep("web")
	w.says(w.sweep("web"), "Delivered 1/1")
	w.asks("web")
	w.now = w.now.Add(time.Minute)
	d := w.sweep("web")
	w.says(d, "Delivered 1/1")
	if d.Status.Issuance == nil || d.Status.Issuance.Cause != "issuer-missing" || d.Status.Layer == "issuance" {
		t.Errorf("it says %+v", d.Status)
	}
	for range 2 { // it goes on, and gets stuck again: that is news
		w.learn("web", func(f *diagnose.Facts) { f.Issuer.Found, f.Issuer.Ready = true, true })
		w.sweep("web")
		if d = w.sweep("web"); d.Status.Issuance != nil {
			t.Errorf("it goes on, and says %+v", d.Status.Issuance)
		}
		w.learn("web", func(f *diagnose.Facts) { f.Issuer.Found = false })
		w.sweep("web")
	}
	if want := 3; len(w.told) != want {
		t.Errorf("told %d times, want %d: %q", len(w.told), want, w.told)
	}
}

func TestOnlyWhatIsNewIsLookedAfter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := types.NamespacedName{Namespace: "shop", Name: "web"}
	w.run.Reconsider("shop", "web") // nobody leads
	w.run.running.Store(w.run)
	w.issue("web", "a")
	w.sweep("web")
	w.asks("web")
	w.run.Reconsider("shop", "web")
	if n := w.run.queue.Len(); n != 0 {
		t.Errorf("a renewal that has just begun is looked after at once (%d)", n)
	}
	w.learn("web", func(f *diagnose.Facts) {
		f.Issuer.Found, f.Issuer.Ready = true, true
		f.Request = &diagnose.Request{Name: "web-2", Created: w.now, Approved: diagnose.Condition{True: true}}
		f.Order = &diagnose.Order{Name: "web-2-1", Created: w.now, State: acmeapi.Invalid, Reason: "429 urn:ietf:params:acme:error:rateLimited: no"}
	})
	w.run.Reconsider("shop", "web")
	got := make(chan types.NamespacedName, 1)
	go func() {
		k, _ := w.run.queue.Get()
		got <- k
	}()
	if k := <-got; k != key {
		t.Errorf("got %s", k)
	}
	w.run.queue.Done(key)
	if d := w.sweep("web"); d.Status.Issuance == nil || d.Status.Issuance.Cause != "rate-limited" {
		t.Errorf("it says %+v", d.Status.Issuance)
	}
	if !same(w.run.stuck(key), issuanceOf(mustDiagnose(t, w))) {
		t.Error("what is written down is not what is known")
	}
}

func mustDiagnose(t *testing.T, w *world) diagnose.Diagnosis {
	t.Helper()
	f, _ := w.Issuance("shop", "web")
	f.Now = w.now
	d, _ := diagnose.Diagnose(f)
	return d
}

func TestTheSchemaHasRoomForEveryCause(t *testing.T) {
	t.Parallel()
	for _, info := range diagnose.Causes() {
		if len(info.Cause) > 64 {
			t.Errorf("%s is too long", info.Cause)
		}
	}
}
