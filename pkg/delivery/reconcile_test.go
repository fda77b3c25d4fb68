package delivery

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

func TestWhatIsServedAlreadyIsProvenAndLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issue("web", "1")
	w.now = w.now.Add(time.Hour)
	w.pod("a", "", w.issued["web"].Leaf, "web-tls")
	w.pod("b", "", w.issued["web"].Leaf, "web-tls")
	w.says(w.sweep("web"), "Delivering 2/2")
	first := w.sweep("web")
	w.says(first, "Delivered 2/2")
	if w.word("a")+w.word("b") != "" || first.Status.Lag != "" || len(w.lags) != 0 {
		t.Errorf("annotations %q and %q, lag %q %v", w.word("a"), w.word("b"), first.Status.Lag, w.lags)
	}
	for range 5 {
		if d := w.sweep("web"); d.ResourceVersion != first.ResourceVersion {
			t.Fatalf("written although nothing has changed: %+v", d.Status)
		}
	}
}

func TestARenewalIsPokedAtOnceAndTimed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issue("web", "1")
	old := w.issued["web"].Leaf
	for _, name := range []string{"a", "b", "c"} {
		w.pod(name, "", old, "web-tls")
	}
	w.sweep("web")
	w.says(w.sweep("web"), "Delivered 3/3")
	w.now = w.now.Add(time.Hour)
	w.issue("web", "2")
	w.says(w.sweep("web"), "Delivering 0/3 reload-missing")
	for _, name := range []string{"a", "b", "c"} {
		if got := w.word(name); got != string(fingerprint("2")) {
			t.Errorf("pod %s holds %q", name, got)
		}
		w.change(name, w.issued["web"].Leaf, true)
	}
	w.says(w.sweep("web"), "Delivering 3/3")
	d := w.sweep("web")
	w.says(d, "Delivered 3/3")
	if d.Status.Lag != "1s" || len(w.lags[StageAll]) != 1 || !slices.Equal(d.Status.Previous, []string{string(fingerprint("1"))}) {
		t.Errorf("lag %q %v, previous %v", d.Status.Lag, w.lags, d.Status.Previous)
	}
}

func TestARenewalDuringADowntimeIsTakenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issue("web", "1")
	w.pod("a", "", w.issued["web"].Leaf, "web-tls")
	w.sweep("web")
	w.says(w.sweep("web"), "Delivered 1/1")
	w.issue("web", "2")
	w.now = w.now.Add(time.Hour)
	w.lead()
	w.says(w.sweep("web"), "Stale 0/1 reload-missing")
	if got := w.word("a"); got != string(fingerprint("2")) {
		t.Errorf("the pod holds %q", got)
	}
	if len(w.told) != 1 || !strings.HasPrefix(w.told[0], "CertificateStale: 0 of 1 replicas serve serial 2") {
		t.Errorf("told %q", w.told)
	}
	w.change("a", w.issued["web"].Leaf, true)
	w.says(w.sweep("web"), "Delivering 1/1")
	w.says(w.sweep("web"), "Delivered 1/1")
}

func TestWhatWasIssuedOutlivesItsRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issue("web", "1")
	w.pod("a", "", w.issued["web"].Leaf, "web-tls")
	w.sweep("web")
	i := w.issued["web"]
	i.Leaf = nil // cert-manager has removed it
	w.issued["web"] = i
	w.lead()
	w.says(w.sweep("web"), "Delivering 1/1")
	w.says(w.sweep("web"), "Delivered 1/1")
	i.Revision++ // and this one was never seen
	w.issued["web"] = i
	w.says(w.sweep("web"), "Delivered 1/1") // it may come in the next moment
	w.now = w.now.Add(lackFor)
	w.says(w.sweep("web"), "Pending 0/0 no-evidence")
}

func TestADeliveryIsItsCertificates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issue("web", "1")
	first := w.sweep("web")
	w.says(first, "Unverified 0/0 no-consumer")
	i := w.issued["web"]
	i.UID = "another"
	w.issued["web"] = i
	if d := w.sweep("web"); d.OwnerReferences[0].UID != "another" || d.OwnerReferences[0].Kind != "Certificate" {
		t.Errorf("owners %+v", d.OwnerReferences)
	}
	// Somebody deletes it.
	d := w.sweep("web")
	w.must(w.client.Delete(t.Context(), &d))
	w.sync()
	w.run.onDelivery(&d, nil)
	w.says(w.sweep("web"), "Unverified 0/0 no-consumer")
	// The Certificate goes, and with it all that is known.
	delete(w.issued, "web")
	if _, err := w.run.reconcile(t.Context(), types.NamespacedName{Namespace: "shop", Name: "web"}); err != nil || len(w.run.known) != 0 {
		t.Errorf("%v, %d are known", err, len(w.run.known))
	}
}

func TestRestartsGoOneAfterTheOtherAcrossAChangeOfLeader(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issue("web", "1")
	for _, name := range []string{"a", "b", "c"} {
		w.pod(name, "restart", w.issued["web"].Leaf, "web-tls")
	}
	w.sweep("web")
	w.sweep("web")
	w.issue("web", "2")
	permits := func() (out string) {
		for _, name := range []string{"a", "b", "c"} {
			if permitted(w.word(name), fingerprint("2")) {
				out += name
			}
		}
		return out
	}
	w.says(w.sweep("web"), "Delivering 0/3 restart-in-turn")
	for i, name := range []string{"a", "b", "c"} {
		if got := permits(); got != "abc"[:i+1] {
			t.Fatalf("%q may restart, when %s is to", got, name)
		}
		w.change(name, w.issued["web"].Leaf, false) // its containers restart
		w.sweep("web")
		if i == 1 {
			w.lead()
			w.sweep("web")
		}
		w.change(name, w.issued["web"].Leaf, true)
		w.sweep("web")
		if got := permits(); got != "abc"[:i+1] {
			t.Errorf("%q may restart, and %s was seen once", got, name)
		}
		w.sweep("web")
	}
	w.sweep("web")
	w.says(w.sweep("web"), "Delivered 3/3")
}

func TestAFailedRestartStopsTheOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issue("web", "1")
	old := w.issued["web"].Leaf
	w.pod("a", "restart", old, "web-tls")
	w.pod("b", "restart", old, "web-tls")
	w.sweep("web")
	w.sweep("web")
	w.issue("web", "2")
	w.sweep("web")
	w.change("a", old, false)
	w.says(w.sweep("web"), "Delivering 0/2 restart-in-turn")
	w.now = w.now.Add(3 * time.Minute)
	w.says(w.sweep("web"), "Stale 0/2 restart-failed")
	w.sweep("web")
	if w.word("b") != "" {
		t.Errorf("the next one may restart: %q", w.word("b"))
	}
	if len(w.told) != 2 || !strings.Contains(w.told[0], "RestartStopped: pod a was to restart") {
		t.Errorf("told %q", w.told)
	}
	w.change("a", w.issued["web"].Leaf, true)
	w.sweep("web")
	w.sweep("web")
	if w.word("b") != string(fingerprint("2")) {
		t.Errorf("it does not go on: %q", w.word("b"))
	}
}

func TestTwoCertificatesNeverRestartTwoPodsOfAWorkload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issue("web", "1")
	w.issue("api", "a")
	for _, name := range []string{"a", "b"} {
		w.pod(name, "restart", w.issued["web"].Leaf, "web-tls", "api-tls")
	}
	w.sweep("web")
	w.sweep("web")
	w.issue("web", "2")
	w.sweep("web")
	if w.word("a") != string(fingerprint("2")) || w.word("b") != "" {
		t.Fatalf("%q %q", w.word("a"), w.word("b"))
	}
	// From here on the pods show the other one's old leaf.
	for _, name := range []string{"a", "b"} {
		w.change(name, w.issued["api"].Leaf, true)
	}
	w.issue("api", "b")
	w.sweep("api")
	w.sweep("api")
	if strings.Contains(w.word("a")+w.word("b"), string(fingerprint("b"))) {
		t.Errorf("%q %q", w.word("a"), w.word("b"))
	}
}

func TestAnAgentThatTriesSomethingElseFirstIsToldAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issue("web", "1")
	for _, name := range []string{"a", "b"} {
		w.pod(name, "signal,restart", w.issued["web"].Leaf, "web-tls")
	}
	w.sweep("web")
	w.sweep("web")
	w.issue("web", "2")
	w.sweep("web")
	for _, name := range []string{"a", "b"} {
		if got, want := w.word(name), awaitPrefix+string(fingerprint("2")); got != want {
			t.Errorf("pod %s holds %q, want %q", name, got, want)
		}
	}
	w.change("a", w.issued["web"].Leaf, true) // the signal helped one of them
	w.sweep("web")
	w.now = w.now.Add(gentleFor)
	w.sweep("web")
	if w.word("b") != string(fingerprint("2")) || !strings.HasPrefix(w.word("a"), awaitPrefix) {
		t.Errorf("%q %q", w.word("a"), w.word("b"))
	}
}

func TestAPortOfAnotherCertificateIsNotForeign(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issue("web", "1")
	w.issue("api", "a")
	w.pod("a", "", w.issued["api"].Leaf, "web-tls", "api-tls")
	w.sweep("web")
	w.now = w.now.Add(time.Hour)
	w.says(w.sweep("web"), "Unverified 0/1 foreign")
	w.sweep("api")
	w.says(w.sweep("api"), "Delivered 1/1")
}

func TestTheTimesBetweenSweeps(t *testing.T) {
	t.Parallel()
	m := &memory{}
	under := Verdict{State: v1alpha1.DeliveryDelivering, Total: 3}
	var last time.Duration
	for range 30 {
		next := m.next(under)
		if next < firstSweep || next > lastSweep || next < last {
			t.Fatalf("%s after %s", next, last)
		}
		last = next
	}
	if last != lastSweep {
		t.Errorf("at last every %s", last)
	}
	m.sweeps.clean = Confirmations
	done := Verdict{State: v1alpha1.DeliveryDelivered, Total: 3, Current: 3}
	if next := m.next(done); next < idleSweep*9/10 || next > idleSweep*11/10 {
		t.Errorf("when it is done, after %s", next)
	}
	for _, want := range []time.Duration{2 * lastSweep, 4 * lastSweep, 8 * lastSweep, 16 * lastSweep, idleSweep, idleSweep} {
		if next := m.next(Verdict{State: v1alpha1.DeliveryUnverified, Total: 3}); next < want*9/10 || next > want*11/10 {
			t.Errorf("while it cannot be seen, after %s, want about %s", next, want)
		}
	}
	if next := m.next(Verdict{State: v1alpha1.DeliveryUnverified}); next < idleSweep*9/10 {
		t.Errorf("without a consumer, after %s", next)
	}
}
