package deliveries

import (
	"strings"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

// issuance says why the next certificate is not issued.
func issuance(p *printer, d *v1alpha1.CertificateDelivery, s Style) {
	i := d.Status.Issuance
	if i == nil {
		return
	}
	p.printf("  the next certificate is not issued: %s", s.Paint.Red(i.Cause))
	if i.Message != "" {
		p.printf(", %s", i.Message)
	}
	if i.Until != nil {
		p.printf(", until %s", i.Until.UTC().Format(minutes))
	}
	p.printf("\n")
}

// beside says what is known of the Secret's copies and of the workloads.
func beside(p *printer, d *v1alpha1.CertificateDelivery, s Style) {
	for _, m := range d.Status.Mirrors {
		state := m.State
		if m.State != "current" {
			state = s.Paint.Red(state)
		}
		p.printf("  a copy in Secret %s/%s (%s) is %s", m.Namespace, m.Name, m.Tool, state)
		if m.Serial != "" && m.State != "current" {
			p.printf(", serial %s", m.Serial)
		}
		p.printf("\n")
	}
	for _, r := range d.Status.Rollouts {
		p.printf("  certwire has rolled out %s at %s\n", r.Workload, r.At.UTC().Format(minutes))
	}
	if len(d.Status.TakesUp) > 0 {
		p.printf("  seen to take up certificates by themselves: %s\n", strings.Join(d.Status.TakesUp, ", "))
	}
}
