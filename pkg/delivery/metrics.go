package delivery

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/probe"
)

// Stages returns all stages.
func Stages() []Stage { return []Stage{StageFirst, StageAll, StageMirrored} }

// How an attempt to have a workload rolled out ends.
const (
	RolloutDone   = "done"   // its template was changed; what comes of it, the next looks show
	RolloutFailed = "failed" // it could not be; another attempt follows
)

// RolloutOutcomes returns both.
func RolloutOutcomes() []string { return []string{RolloutDone, RolloutFailed} }

// gauge describes a series of a Certificate.
func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, append([]string{"namespace", "certificate"}, labels...), nil)
}

var (
	endpointsDesc = gauge("certwire_delivery_endpoints",
		"Endpoints that use a certificate, by what they were seen to serve.", "state")
	divergenceDesc = gauge("certwire_delivery_divergence_since_timestamp_seconds",
		"Since when a replica has served something else than the newest certificate, as Unix time; 0 while none does.")
	stateDesc = gauge("certwire_delivery_state",
		"1 for the state that a delivery is in.", "state")
	causeDesc = gauge("certwire_delivery_cause",
		"1 for the cause of a delivery that is stale, unverified or pending.", "cause")
	oldestDesc = gauge("certwire_delivery_oldest_not_after_timestamp_seconds",
		"When the oldest certificate ends that a replica serves, as Unix time; only while a replica serves another one than the newest.")
	lifetimeDesc = gauge("certwire_delivery_oldest_lifetime_seconds",
		"From the beginning to the end of the oldest certificate that a replica serves; only while a replica serves another one than the newest.")
	mirrorsDesc = gauge("certwire_delivery_mirrors",
		"Copies of a certificate's Secret, by what they hold; at most 20 are counted, those that are behind first.", "state")
	mirrorStaleDesc = gauge("certwire_delivery_mirror_stale_since_timestamp_seconds",
		"Since when a copy of the Secret that has had its time has held something else than the newest certificate, as Unix time; 0 while none does.")
	issuanceDesc = gauge("certwire_delivery_issuance",
		"1 for the cause why the next certificate is not issued.", "cause")
	probesDesc = prometheus.NewDesc("certwire_probes_total",
		"Dials of endpoints since this process began, by what came of them.", []string{"outcome"}, nil)
	successDesc = prometheus.NewDesc("certwire_probe_last_success_timestamp_seconds",
		"When a dial last showed a certificate, as Unix time; 0 while none has since this process began.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (c *Controller) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		endpointsDesc, divergenceDesc, stateDesc, causeDesc, oldestDesc, lifetimeDesc, mirrorsDesc, mirrorStaleDesc, issuanceDesc, probesDesc, successDesc,
	} {
		out <- d
	}
}

// Collect implements [prometheus.Collector]. Only the replica that leads has anything to tell; series end with their
// Certificates.
func (c *Controller) Collect(out chan<- prometheus.Metric) {
	r := c.running.Load()
	if r == nil {
		return
	}
	c.probes.collect(out)
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, m := range r.known {
		if m.shown.state == "" {
			continue // not looked at yet
		}
		m.shown.collect(func(d *prometheus.Desc, value float64, label ...string) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{key.Namespace, key.Name}, label...)...)
		})
	}
}

// shown is what metrics tell of a Certificate: the outcome of its last sweep, whether or not that could be stored.
type shown struct {
	state           v1alpha1.DeliveryState // empty before the first sweep
	cause, issuance string
	verdict         Verdict
	// mirrors are the copies by what they hold, and mirrorStale since when one that has had its time has been behind; zero while none is.
	mirrors     map[string]int
	mirrorStale time.Time
}

// show has metrics tell of a sweep.
func (s *sweep) show(v Verdict) {
	next := shown{state: s.status.State, verdict: v, mirrors: map[string]int{}, mirrorStale: s.m.mirrorStale}
	switch next.state {
	case v1alpha1.DeliveryStale, v1alpha1.DeliveryUnverified, v1alpha1.DeliveryPending:
		next.cause = s.status.Cause
	case v1alpha1.DeliveryDelivering, v1alpha1.DeliveryDelivered: // under way, or a new pod is
	}
	if s.status.Issuance != nil {
		next.issuance = s.status.Issuance.Cause
	}
	for _, m := range s.status.Mirrors {
		next.mirrors[m.State]++
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m.shown = next
}

// collect emits each set of labels once.
func (s *shown) collect(emit func(d *prometheus.Desc, value float64, label ...string)) {
	emit(stateDesc, 1, string(s.state))
	if s.cause != "" {
		emit(causeDesc, 1, s.cause)
	}
	if s.issuance != "" {
		emit(issuanceDesc, 1, s.issuance)
	}
	for state, n := range s.mirrors {
		emit(mirrorsDesc, float64(n), state)
	}
	if len(s.mirrors) > 0 {
		emit(mirrorStaleDesc, unix(s.mirrorStale))
	}
	if s.state == v1alpha1.DeliveryPending {
		return // there is nothing that endpoints could serve
	}
	v := s.verdict
	for _, state := range EndpointStates() {
		if n := v.Counts[state]; n > 0 || state == Current {
			emit(endpointsDesc, float64(n), string(state))
		}
	}
	emit(divergenceDesc, unix(v.Diverged))
	if !v.Diverged.IsZero() && !v.Oldest.IsZero() {
		emit(oldestDesc, unix(v.Oldest))
		emit(lifetimeDesc, max(v.Oldest.Sub(v.OldestFrom), 0).Seconds())
	}
}

// unix is a time as Prometheus has it; 0 for none.
func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.Unix())
}

// timeFirst times a renewal until the first replica serves it, once: for those that this process saw come.
func (s *sweep) timeFirst(v Verdict) {
	if v.Current == 0 || len(s.status.Previous) == 0 || s.m.newest != s.leaf.Fingerprint || s.m.first == s.leaf.Fingerprint {
		return
	}
	s.m.first = s.leaf.Fingerprint
	s.Observe(StageFirst, max(s.Now().Sub(s.came()), 0))
}

// probes counts dials.
type probes struct {
	served, notTLS, unreachable atomic.Uint64
	// success is the last one's Unix time; 0 for none.
	success atomic.Int64
}

// ask dials, and counts what came of it. One that was ended from here says nothing.
func (c *Controller) ask(ctx context.Context, t probe.Target) probe.Result {
	r := c.Dial(ctx, t)
	switch {
	case r.Cause == probe.CauseCanceled:
	case r.State == probe.Served:
		c.probes.served.Add(1)
		c.probes.success.Store(c.Now().Unix())
	case r.State == probe.NotTLS:
		c.probes.notTLS.Add(1)
	default:
		c.probes.unreachable.Add(1)
	}
	return r
}

func (p *probes) collect(out chan<- prometheus.Metric) {
	for state, n := range map[probe.State]*atomic.Uint64{probe.Served: &p.served, probe.NotTLS: &p.notTLS, probe.Unreachable: &p.unreachable} {
		out <- prometheus.MustNewConstMetric(probesDesc, prometheus.CounterValue, float64(n.Load()), string(state))
	}
	out <- prometheus.MustNewConstMetric(successDesc, prometheus.GaugeValue, float64(p.success.Load()))
}
