package diagnose

import (
	"testing"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
)

func BenchmarkDiagnose(b *testing.B) {
	stuck := stuck("Waiting for HTTP-01 challenge propagation: wrong status code '404', expected '200'", acmeapi.Pending, true, false)
	ready := Facts{Now: now, Certificate: Certificate{Namespace: "shop", Name: "web", Ready: Condition{True: true}}}
	for name, f := range map[string]Facts{"stuck": stuck, "ready": ready} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Diagnose(f)
			}
		})
	}
}
