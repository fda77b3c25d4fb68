package main

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/certwire/certwire/pkg/delivery"
	"github.com/certwire/certwire/pkg/reload/spec"
)

// deliver prepares the controller that takes renewals to the wire, and its metrics.
func (s *server) deliver() error {
	took := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "certwire_renewal_to_wire_seconds",
		Help:    "From the issuance of a renewal until the first replica served it (first), all of them did (all), all copies of the Secret held it (mirrored).",
		Buckets: []float64{0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3600},
	}, []string{"stage"})
	for _, stage := range delivery.Stages() {
		took.WithLabelValues(string(stage))
	}
	rollouts := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "certwire_delivery_rollouts_total", Help: "Attempts to have a workload rolled out for a certificate that it did not serve, by how they ended.",
	}, []string{"outcome"})
	for _, outcome := range delivery.RolloutOutcomes() {
		rollouts.WithLabelValues(outcome)
	}
	own := rest.CopyConfig(s.rest) // many Certificates at a time must not keep an order from its budget
	own.QPS, own.Burst = 100, 200
	writer, err := client.New(own, client.Options{Scheme: s.manager.GetScheme()})
	if err != nil {
		return fmt.Errorf("preparing the client for deliveries: %w", err)
	}
	s.delivery = &delivery.Controller{
		Cluster: s.inventory, Rest: s.rest, Scheme: s.manager.GetScheme(), Client: writer,
		Presets:  func() map[string]spec.Values { return s.settings.Current().Agent.Presets },
		Deadline: s.options.deliveryDeadline,
		Mirrors:  s.options.deliveryMirrors, Rollouts: s.options.deliveryRollouts,
		Tell:    s.resumer.Tell,
		Observe: func(stage delivery.Stage, d time.Duration) { took.WithLabelValues(string(stage)).Observe(d.Seconds()) },
		Rolled:  func(outcome string) { rollouts.WithLabelValues(outcome).Inc() },
		Log:     s.log.WithName("delivery"), Now: time.Now,
	}
	for _, c := range []prometheus.Collector{took, rollouts, s.delivery} {
		if err := metrics.Registry.Register(c); err != nil {
			return fmt.Errorf("registering the metrics of deliveries: %w", err)
		}
	}
	return nil
}

// issuance tells the controller that what is known of a Certificate's issuance has changed.
func (s *server) issuance(namespace, certificate string) {
	if s.delivery != nil {
		s.delivery.Reconsider(namespace, certificate)
	}
}

// issued tells the controller of a Certificate. The inventory is built before it, and runs after.
func (s *server) issued(namespace, certificate string) {
	if s.delivery != nil {
		s.delivery.Add(namespace, certificate)
	}
}
