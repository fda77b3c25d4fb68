package admission

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestWhatARuleDidIsCounted(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	recorder, err := NewMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	h, guard := metered(t, "orders", production, &meter{assessed: empty})
	guard.Recorder, h.Recorder = recorder, recorder
	post(t, h, reviewOf("acme.cert-manager.io", "Order", "CREATE", meteredOrder, ""))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "certwire_rule_decisions_total" {
			continue
		}
		text := f.String()
		for _, want := range []string{`"budget"`, `"deny"`, `"outcome"`, `"mode"`} {
			if !strings.Contains(text, want) {
				t.Errorf("%s is not in %s", want, text)
			}
		}
		return
	}
	t.Error("no rule was counted")
}
