package delivery

import (
	"github.com/prometheus/client_golang/prometheus"
)

var (
	endpointsDesc = prometheus.NewDesc("certwire_delivery_endpoints",
		"Endpoints that use a certificate, by what they were seen to serve.", []string{"namespace", "certificate", "state"}, nil)
	divergenceDesc = prometheus.NewDesc("certwire_delivery_divergence_since_timestamp_seconds",
		"Since when a replica has served something else than the newest certificate, as Unix time; 0 while none does.",
		[]string{"namespace", "certificate"}, nil)
)

// Describe implements [prometheus.Collector].
func (c *Controller) Describe(out chan<- *prometheus.Desc) {
	out <- endpointsDesc
	out <- divergenceDesc
}

// Collect implements [prometheus.Collector]. Only the replica that leads has anything to tell; series end with their
// Certificates.
func (c *Controller) Collect(out chan<- prometheus.Metric) {
	r := c.running.Load()
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, m := range r.known {
		if m.summary.State == "" {
			continue // not looked at yet
		}
		for _, state := range EndpointStates() {
			if n := m.summary.Counts[state]; n > 0 || state == Current {
				out <- prometheus.MustNewConstMetric(endpointsDesc, prometheus.GaugeValue, float64(n), key.Namespace, key.Name, string(state))
			}
		}
		since := 0.0
		if !m.summary.Diverged.IsZero() {
			since = float64(m.summary.Diverged.Unix())
		}
		out <- prometheus.MustNewConstMetric(divergenceDesc, prometheus.GaugeValue, since, key.Namespace, key.Name)
	}
}
