package delivery

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"k8s.io/apimachinery/pkg/types"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/probe"
)

// registry is one with the controller's metrics. To gather from it fails for a set of labels that comes twice.
func registry(t *testing.T, c *Controller) *prometheus.Registry {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(c); err != nil {
		t.Fatal(err)
	}
	return r
}

// series writes them as "name certificate label = number". Those of probes are
// left out unless asked for.
func series(t *testing.T, c *Controller, probes bool) []string {
	t.Helper()
	families, err := registry(t, c).Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, f := range families {
		name := strings.TrimPrefix(f.GetName(), "certwire_")
		if strings.HasPrefix(name, "probe") != probes {
			continue
		}
		for _, m := range f.GetMetric() {
			certificate, other := "", ""
			for _, l := range m.GetLabel() {
				switch l.GetName() {
				case "namespace":
				case "certificate":
					certificate = " " + l.GetValue()
				default:
					other = " " + l.GetValue()
				}
			}
			out = append(out, fmt.Sprintf("%s%s%s = %.0f", strings.TrimPrefix(name, "delivery_"), certificate, other, m.GetGauge().GetValue()+m.GetCounter().GetValue()))
		}
	}
	slices.Sort(out)
	return out
}

// counted makes a world's run the one that metrics are of.
func (w *world) counted() *Controller {
	w.run.running.Store(w.run)
	return w.run.Controller
}

func TestSeriesEndWithTheirCertificateAndWithTheLeadership(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issue("web", "1")
	w.issue("api", "a")
	w.pod("a", "", w.issued["web"].Leaf, "web-tls")
	c := w.counted()
	w.run.memory(types.NamespacedName{Namespace: "shop", Name: "new"}) // one that nobody has looked at
	if got := series(t, c, false); len(got) != 0 {
		t.Errorf("before the first look: %q", got)
	}
	w.sweep("web")
	w.sweep("api")
	want := []string{
		"cause api no-consumer = 1",
		"divergence_since_timestamp_seconds api = 0",
		"divergence_since_timestamp_seconds web = 0",
		"endpoints api current = 0",
		"endpoints web current = 1",
		"state api Unverified = 1",
		"state web Delivering = 1",
	}
	if diff := cmp.Diff(want, series(t, c, false)); diff != "" {
		t.Error(diff)
	}
	w.sweep("web")
	delete(w.issued, "api")
	if _, err := w.run.reconcile(t.Context(), types.NamespacedName{Namespace: "shop", Name: "api"}); err != nil {
		t.Fatal(err)
	}
	want = []string{"divergence_since_timestamp_seconds web = 0", "endpoints web current = 1", "state web Delivered = 1"}
	if diff := cmp.Diff(want, series(t, c, false)); diff != "" {
		t.Error(diff)
	}
	c.running.Store(nil)
	if got := slices.Concat(series(t, c, false), series(t, c, true)); len(got) != 0 {
		t.Errorf("after the end of its leadership: %q", got)
	}
}

func TestWhatMetricsTellOfADelivery(t *testing.T) {
	t.Parallel()
	mirror := func(states ...string) (out []v1alpha1.DeliveryMirror) {
		for i, state := range states {
			out = append(out, v1alpha1.DeliveryMirror{Namespace: "shop", Name: fmt.Sprintf("copy-%d", i), Tool: "reflector", State: state})
		}
		return out
	}
	stale := Verdict{
		State: v1alpha1.DeliveryStale, Diverged: noon.Add(-time.Hour), Oldest: noon.Add(48 * time.Hour), OldestFrom: noon.Add(-24 * time.Hour),
		Counts: map[EndpointState]int{Current: 2, Previous: 1},
	}
	at := func(d time.Duration) string { return fmt.Sprintf(" = %d", noon.Add(d).Unix()) }
	for name, c := range map[string]struct {
		status  v1alpha1.CertificateDeliveryStatus
		verdict Verdict
		// copyBehind is since when a copy is that has had its time.
		copyBehind time.Time
		want       []string
	}{
		"a replica serves what was before": {
			status:  v1alpha1.CertificateDeliveryStatus{State: v1alpha1.DeliveryStale, Cause: string(Partial)},
			verdict: stale,
			want: []string{
				"cause web partial = 1", "divergence_since_timestamp_seconds web" + at(-time.Hour), "endpoints web current = 2", "endpoints web previous = 1",
				"oldest_lifetime_seconds web = 259200", "oldest_not_after_timestamp_seconds web" + at(48*time.Hour), "state web Stale = 1",
			},
		},
		"a cause is no cause while a delivery is under way": {
			status:  v1alpha1.CertificateDeliveryStatus{State: v1alpha1.DeliveryDelivering, Cause: string(RestartsInTurn)},
			verdict: Verdict{Oldest: noon.Add(time.Hour), Counts: map[EndpointState]int{Unreachable: 1}},
			want: []string{
				"divergence_since_timestamp_seconds web = 0", "endpoints web current = 0", "endpoints web unreachable = 1", "state web Delivering = 1",
			},
		},
		"what was never issued has no endpoints": {
			status: v1alpha1.CertificateDeliveryStatus{
				State: v1alpha1.DeliveryPending, Cause: string(NotIssued), Issuance: &v1alpha1.DeliveryIssuance{Cause: "order-no-solver"},
			},
			want: []string{"cause web not-issued = 1", "issuance web order-no-solver = 1", "state web Pending = 1"},
		},
		"copies are counted by what they hold": {
			status: v1alpha1.CertificateDeliveryStatus{
				State: v1alpha1.DeliveryDelivered, Mirrors: mirror("previous", "previous", "current"),
			},
			copyBehind: noon.Add(-time.Hour),
			want: []string{
				"divergence_since_timestamp_seconds web = 0", "endpoints web current = 0", "mirror_stale_since_timestamp_seconds web" + at(-time.Hour),
				"mirrors web current = 1", "mirrors web previous = 2", "state web Delivered = 1",
			},
		},
		"copies that are not behind are": {
			status: v1alpha1.CertificateDeliveryStatus{State: v1alpha1.DeliveryDelivered, Mirrors: mirror("current")},
			want: []string{
				"divergence_since_timestamp_seconds web = 0", "endpoints web current = 0", "mirror_stale_since_timestamp_seconds web = 0",
				"mirrors web current = 1", "state web Delivered = 1",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			key := types.NamespacedName{Namespace: "shop", Name: "web"}
			m := w.run.memory(key)
			m.mirrorStale = c.copyBehind
			(&sweep{run: w.run, key: key, m: m, status: &c.status}).show(c.verdict)
			controller := w.counted()
			if diff := cmp.Diff(c.want, series(t, controller, false)); diff != "" {
				t.Error(diff)
			}
			families, err := registry(t, controller).Gather()
			if err != nil {
				t.Fatal(err)
			}
			problems, err := promlint.NewWithMetricFamilies(families).Lint()
			if err != nil || len(problems) > 0 {
				t.Errorf("promlint: %v %v", problems, err)
			}
		})
	}
}

func TestARenewalIsTimedAtItsFirstReplicaAndAtItsLast(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issue("web", "1")
	for _, name := range []string{"a", "b"} {
		w.pod(name, "", w.issued["web"].Leaf, "web-tls")
	}
	w.sweep("web")
	w.sweep("web")
	if len(w.lags) != 0 {
		t.Errorf("what was there before anybody looked is timed: %v", w.lags)
	}
	w.now = w.now.Add(time.Hour)
	w.issue("web", "2")
	w.sweep("web")
	w.change("a", w.issued["web"].Leaf, true)
	w.sweep("web")
	w.sweep("web")
	w.change("b", w.issued["web"].Leaf, true)
	w.sweep("web")
	w.sweep("web")
	w.sweep("web")
	if diff := cmp.Diff(map[Stage][]time.Duration{StageFirst: {time.Second}, StageAll: {3 * time.Second}}, w.lags); diff != "" {
		t.Error(diff)
	}
}

func TestDialsAreCountedByWhatCameOfThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	results := []probe.Result{
		{State: probe.Served}, {State: probe.Served}, {State: probe.NotTLS, Cause: probe.CausePlain}, {State: probe.Unreachable, Cause: probe.CauseRefused},
		{State: probe.Unreachable, Cause: probe.CauseTimeout}, {State: probe.Unreachable, Cause: probe.CauseTimeout}, {State: probe.Unreachable, Cause: probe.CauseCanceled},
	}
	c := w.counted()
	if diff := cmp.Diff([]string{"probe_last_success_timestamp_seconds = 0", "probes_total not-tls = 0", "probes_total served = 0", "probes_total unreachable = 0"}, series(t, c, true)); diff != "" {
		t.Error(diff)
	}
	for _, result := range results {
		c.Dial = func(context.Context, probe.Target) probe.Result { return result }
		c.ask(t.Context(), probe.Target{})
		w.now = w.now.Add(time.Second)
	}
	want := []string{
		fmt.Sprintf("probe_last_success_timestamp_seconds = %d", noon.Unix()+1), "probes_total not-tls = 1", "probes_total served = 2", "probes_total unreachable = 3",
	}
	if diff := cmp.Diff(want, series(t, c, true)); diff != "" {
		t.Error(diff)
	}
}
