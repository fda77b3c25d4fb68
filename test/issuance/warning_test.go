package issuance

import (
	"fmt"
	"strings"
	"testing"
)

func TestPeopleAreWarnedBeforeALimitIsUsedUp(t *testing.T) {
	t.Parallel()
	t.Run("from four fifths on, wherever rules warn or deny", func(t *testing.T) {
		t.Parallel()
		_, domain := guarded(t)
		filler := used(t, 3, domain)
		denying, _ := guarded(t)
		warning := namespace(t, "certwire.dev/issuance=warn", "certwire.dev/environment=production")
		silent := namespace(t, "certwire.dev/issuance=off", "certwire.dev/environment=production")
		web := certificate("web", productionIssuer, domain)
		for _, ns := range []string{denying, warning, silent} {
			if out, err := apply(t, ns, web, "--dry-run=server"); err != nil || strings.Contains(out, "Warning") {
				t.Errorf("with 3 of 5 used, in %s: %v %s", ns, err, out)
			}
		}
		kubectl(t, "delete", "secret", "filler-tls", "-n", filler)
		ready(t, filler, "filler")
		counts(t, production, 4, domain)
		for _, ns := range []string{denying, warning} {
			out := ""
			eventually(t, "it is said in "+ns, func() bool {
				var err error
				if out, err = apply(t, ns, web, "--dry-run=server"); err != nil {
					t.Fatal(out)
				}
				return strings.Contains(out, "Warning: Certificate "+ns+"/web: 4 of 5 per set used at ") &&
					strings.Contains(out, "Warning: 1 left; a deleted or overwritten Secret uses up one each time")
			})
		}
		if out, err := apply(t, silent, web, "--dry-run=server"); err != nil || strings.Contains(out, "Warning") {
			t.Errorf("where rules are off: %v %s", err, out)
		}
	})
	t.Run("when a Certificate flips between names", func(t *testing.T) {
		t.Parallel()
		ns, domain := guarded(t)
		flip := func(n int) string {
			t.Helper()
			out, err := apply(t, ns, certificate("web", productionIssuer, fmt.Sprintf("n%d.%s", n%2, domain)))
			if err != nil {
				t.Fatal(out)
			}
			ready(t, ns, "web")
			return out
		}
		for n := range 2 {
			if out := flip(n); strings.Contains(out, "Warning") {
				t.Errorf("apply %d: %s", n+1, out)
			}
		}
		flip(2)
		eventually(t, "all three are counted", func() bool { return column(t, domain, ".status.topConsumer") == ns+"/web (3)" })
		out := flip(3)
		if !strings.Contains(out, "Warning: Certificate "+ns+"/web was issued 3 times lately, every ") ||
			!strings.Contains(out, "Warning: at that rate the CA's limit is used up by 20") {
			t.Errorf("the fourth apply: %s", out)
		}
	})
}

func TestOrdersThatNobodyStopsAreCountedAllTheSame(t *testing.T) {
	t.Parallel()
	const environment = "certwire.dev/environment=production"
	off := namespace(t, "certwire.dev/issuance=off", environment)
	domain := off + ".github.io"
	mustApply(t, off, certificate("web", productionIssuer, domain))
	ready(t, off, "web")
	kubectl(t, "delete", "secret", "web-tls", "-n", off)
	eventually(t, "it is issued again", func() bool { return certManager.Issued(production, domain) == 2 })
	ready(t, off, "web")
	eventually(t, "both are counted, though certwire was asked about neither", func() bool {
		return column(t, domain, ".status.used") == "2" && column(t, domain, ".status.topConsumer") == off+"/web (2)"
	})

	warn := namespace(t, "certwire.dev/issuance=warn", environment)
	mustApply(t, warn, certificate("web", productionIssuer, domain))
	ready(t, warn, "web")
	for n := 4; n <= 6; n++ {
		kubectl(t, "delete", "secret", "web-tls", "-n", warn)
		eventually(t, "it is issued again", func() bool { return certManager.Issued(production, domain) == n })
		ready(t, warn, "web")
	}
	counts(t, production, 6, domain) // Pebble has no limits: the real CA would have refused the last one
	out := kubectl(t, "get", "certificaterequests", "-n", warn, "-o", "jsonpath={.items[*].status.conditions[*].message}")
	if strings.Contains(out, "denied the request") {
		t.Errorf("something was refused: %s", out)
	}
	eventually(t, "the bucket is used up, and the list has all six", func() bool {
		b, err := budgetOf(t.Context(), domain)
		if err != nil {
			t.Fatal(err)
		}
		return b != nil && b.Status.Used == 5 && len(b.Status.Recent) == 6
	})
	// Whom it concerns is told.
	out, err := apply(t, warn, certificate("again", productionIssuer, domain), "--dry-run=server")
	if err != nil || !strings.Contains(out, "Warning: the CA refuses this order; the next order is possible at 20") {
		t.Errorf("%v %s", err, out)
	}
}
