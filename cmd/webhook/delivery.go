package main

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/certwire/certwire/pkg/delivery"
	"github.com/certwire/certwire/pkg/reload/spec"
)

// deliver prepares the controller that takes renewals to the wire, and its metrics.
func (s *server) deliver() error {
	took := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "certwire_renewal_to_wire_seconds", Help: "From the issuance of a renewal until every replica served it.",
		Buckets: []float64{0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3600},
	})
	s.delivery = &delivery.Controller{
		Cluster: s.inventory, Rest: s.rest, Scheme: s.manager.GetScheme(), Client: s.live,
		Presets:  func() map[string]spec.Values { return s.settings.Current().Agent.Presets },
		Deadline: s.options.deliveryDeadline,
		Tell:     s.resumer.Tell,
		Observe:  func(d time.Duration) { took.Observe(d.Seconds()) },
		Log:      s.log.WithName("delivery"), Now: time.Now,
	}
	for _, c := range []prometheus.Collector{took, s.delivery} {
		if err := metrics.Registry.Register(c); err != nil {
			return fmt.Errorf("registering the metrics of deliveries: %w", err)
		}
	}
	return nil
}

// issued tells the controller of a Certificate. The inventory is built before it, and runs after.
func (s *server) issued(namespace, certificate string) {
	if s.delivery != nil {
		s.delivery.Add(namespace, certificate)
	}
}
