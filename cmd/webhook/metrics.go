package main

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/certwire/certwire/pkg/adopt"
	"github.com/certwire/certwire/pkg/config"
)

// configGood is 1 while the file on disk is what is in force.
var configGood atomic.Int64

// metrics registers what is not an admission hook's:
//
//   - certwire_build_info{version}: always 1.
//   - certwire_config_info{hash}: always 1; the configuration in force, defaults included. Differs between replicas while a
//     change is on its way.
//   - certwire_config_last_reload_successful: 0 while the file on disk has problems and the last good one is in force.
//   - certwire_serving_certificate_not_after_seconds, certwire_ca_not_after_seconds: Unix times; absent until known.
//   - certwire_budget_remaining{ca,domain,limit}, certwire_budget_next_slot_timestamp_seconds{ca,domain,limit}: the fullest
//     bucket of each limit, for the 100 budgets that are used up most; next slot is 0 while an order is possible.
//   - certwire_ledger_lag_seconds: how long the oldest counted order has been waiting to be stored.
//   - certwire_ledger_corrupt_total: budgets that had to be rebuilt.
//   - certwire_ledger_unmetered_total: orders of new domains that were not metered, because there are too many budgets.
//   - certwire_ledger_foreign_orders_total: Orders whose URL is of another CA than their issuer, and which are not counted.
//   - certwire_ledger_lost_total: changes that the API server never takes, and that were given up.
//   - certwire_refused_orders_total{action}: told (an Event) or retried.
//   - certwire_objects{kind}: what the inventory holds.
//   - certwire_delivery_*{namespace,certificate,...}, certwire_delivery_rollouts_total{outcome}, certwire_probes_total{outcome},
//     certwire_probe_last_success_timestamp_seconds, certwire_renewal_to_wire_seconds{stage}: with --delivery alone, see
//     docs/delivery.md.
//   - certwire_adoptions_total{kind,outcome}: what adoption did; outcome is adopted, undone, conflict, contested or failed.
func (s *server) metrics() error {
	configGood.Store(1)
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "certwire_build_info", Help: "The version that runs; always 1."}, []string{"version"})
	build.WithLabelValues(versionString()).Set(1)
	adoptions := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "certwire_adoptions_total", Help: "Workloads that were brought in, or let go, after they were admitted.",
	}, []string{"kind", "outcome"})
	resumed := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "certwire_refused_orders_total", Help: "What was done about refused orders: told by an Event, or retried.",
	}, []string{"action"})
	s.resumer.Count = func(what string) { resumed.WithLabelValues(what).Inc() }
	s.adopter.Count = func(kind string, o adopt.Outcome) { adoptions.WithLabelValues(kind, string(o)).Inc() }
	for _, c := range []prometheus.Collector{
		build, adoptions, objects{s}, inForce{s}, s.corrupt, s.unmetered, s.foreign, s.lost, levels{s}, resumed,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "certwire_config_last_reload_successful", Help: "0 while the configuration file has problems.",
		}, func() float64 { return float64(configGood.Load()) }),
		notAfter{s},
	} {
		if err := metrics.Registry.Register(c); err != nil {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	return nil
}

// reconfigured logs a change of the configuration file.
func (s *server) reconfigured(now *config.Settings, err error) {
	if err != nil {
		configGood.Store(0)
		s.log.Error(err, "The configuration file is not taken, the last good one stays in force")
		return
	}
	configGood.Store(1)
	s.log.Info("The configuration has changed", "configHash", now.Hash)
	for _, key := range s.inventory.Interesting() {
		s.adopter.Add(key) // adoption may have been switched on
	}
	go s.inventory.ShowOrders() // the limits of another CA may be known now
	s.resumer.Wake()
}

var configDesc = prometheus.NewDesc("certwire_config_info", "The configuration in force; always 1.", []string{"hash"}, nil)

// inForce reports which configuration is in force.
type inForce struct{ s *server }

func (inForce) Describe(out chan<- *prometheus.Desc) { out <- configDesc }

func (c inForce) Collect(out chan<- prometheus.Metric) {
	out <- prometheus.MustNewConstMetric(configDesc, prometheus.GaugeValue, 1, c.s.settings.Current().Hash)
}

var objectsDesc = prometheus.NewDesc("certwire_objects", "Objects in the inventory.", []string{"kind"}, nil)

// objects reports the inventory's size.
type objects struct{ s *server }

func (objects) Describe(out chan<- *prometheus.Desc) { out <- objectsDesc }

func (o objects) Collect(out chan<- prometheus.Metric) {
	for kind, n := range o.s.inventory.Counts() {
		out <- prometheus.MustNewConstMetric(objectsDesc, prometheus.GaugeValue, float64(n), kind)
	}
}

var (
	leafDesc = prometheus.NewDesc("certwire_serving_certificate_not_after_seconds", "End of the serving certificate, as Unix time.", nil, nil)
	caDesc   = prometheus.NewDesc("certwire_ca_not_after_seconds", "End of its CA, as Unix time.", nil, nil)
)

// notAfter reports when the serving certificate and its CA end.
type notAfter struct{ s *server }

func (notAfter) Describe(out chan<- *prometheus.Desc) { out <- leafDesc; out <- caDesc }

func (n notAfter) Collect(out chan<- prometheus.Metric) {
	leaf, ca := n.s.source.NotAfter()
	for desc, end := range map[*prometheus.Desc]time.Time{leafDesc: leaf, caDesc: ca} {
		if !end.IsZero() {
			out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(end.Unix()))
		}
	}
}

var (
	remainingDesc = prometheus.NewDesc("certwire_budget_remaining", "Orders that a bucket would let through.", []string{"ca", "domain", "limit"}, nil)
	nextDesc      = prometheus.NewDesc("certwire_budget_next_slot_timestamp_seconds", "When the next order is possible, as Unix time; 0 while one is.", []string{"ca", "domain", "limit"}, nil)
	lagDesc       = prometheus.NewDesc("certwire_ledger_lag_seconds", "How long the oldest counted order has been waiting to be stored.", nil, nil)
)

// levels reports what is left of the budgets that are used up most.
type levels struct{ s *server }

func (levels) Describe(out chan<- *prometheus.Desc) {
	out <- remainingDesc
	out <- nextDesc
	out <- lagDesc
}

func (l levels) Collect(out chan<- prometheus.Metric) {
	out <- prometheus.MustNewConstMetric(lagDesc, prometheus.GaugeValue, l.s.ledger.Lag().Seconds())
	for _, level := range l.s.ledger.Levels() {
		next := 0.0
		if !level.Next.IsZero() {
			next = float64(level.Next.Unix())
		}
		labels := []string{level.CA, level.Subject, string(level.Limit)}
		out <- prometheus.MustNewConstMetric(remainingDesc, prometheus.GaugeValue, float64(level.Remaining), labels...)
		out <- prometheus.MustNewConstMetric(nextDesc, prometheus.GaugeValue, next, labels...)
	}
}
