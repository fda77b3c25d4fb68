package admission

import (
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Recorder counts what the hooks decide. Safe for concurrent use.
type Recorder interface {
	// Decision counts an answer. Operation is the API server's word; all labels come from closed sets.
	Decision(hook, verdict, reason, operation string, dryRun bool)
	// Rule counts what a rule did: its name, its mode in that namespace, and the verdict.
	Rule(rule, mode, verdict string)
	// Failure counts a review that could not be decided.
	Failure(hook string, stage Stage)
	// Observe records how long an answer took.
	Observe(hook string, took time.Duration)
}

// Metrics is the [Recorder] for Prometheus.
type Metrics struct {
	decisions *prometheus.CounterVec
	rules     *prometheus.CounterVec
	failures  *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
}

// NewMetrics registers the metrics:
//
//   - certwire_decisions_total{hook,verdict,reason,operation,dry_run}: answers. hook is reload, pods, guard or orders; verdict
//     is patch, allow, warn or deny; reason is one of mutate's and policy's reasons; operation is create, update or
//     other; dry_run is true or false.
//   - certwire_rule_decisions_total{rule,mode,outcome}: answers that a rule gave; outcome is allow, warn or deny.
//   - certwire_review_failures_total{hook,stage}: reviews that could not be decided; stage is request, decode, cache,
//     lookup or panic.
//   - certwire_review_seconds{hook}: time from request to answer.
func NewMetrics(r prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "certwire_decisions_total", Help: "Answers to admission reviews.",
		}, []string{"hook", "verdict", "reason", "operation", "dry_run"}),
		rules: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "certwire_rule_decisions_total", Help: "Answers that a rule of the guard gave.",
		}, []string{"rule", "mode", "outcome"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "certwire_review_failures_total", Help: "Admission reviews that could not be decided.",
		}, []string{"hook", "stage"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "certwire_review_seconds", Help: "Time from an admission review to its answer.",
			Buckets: []float64{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 3},
		}, []string{"hook"}),
	}
	for _, c := range []prometheus.Collector{m.decisions, m.rules, m.failures, m.seconds} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	return m, nil
}

// Decision implements [Recorder].
func (m *Metrics) Decision(hook, verdict, reason, operation string, dryRun bool) {
	switch operation {
	case "CREATE":
		operation = "create"
	case "UPDATE":
		operation = "update"
	default:
		operation = "other"
	}
	m.decisions.WithLabelValues(hook, verdict, reason, operation, strconv.FormatBool(dryRun)).Inc()
}

// Rule implements [Recorder].
func (m *Metrics) Rule(rule, mode, verdict string) {
	m.rules.WithLabelValues(rule, mode, verdict).Inc()
}

// Failure implements [Recorder].
func (m *Metrics) Failure(hook string, stage Stage) {
	m.failures.WithLabelValues(hook, string(stage)).Inc()
}

// Observe implements [Recorder].
func (m *Metrics) Observe(hook string, took time.Duration) {
	m.seconds.WithLabelValues(hook).Observe(took.Seconds())
}
