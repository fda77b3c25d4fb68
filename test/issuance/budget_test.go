package issuance

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// guarded makes a production namespace in which rules refuse. A registered domain of its own goes with it.
func guarded(t *testing.T) (ns, domain string) {
	t.Helper()
	ns = namespace(t, "certwire.dev/issuance=deny", "certwire.dev/environment=production")
	return ns, ns + ".github.io" // a name of the public suffix list's private section
}

// again deletes a Certificate and its Secret and makes it anew.
func recreate(t *testing.T, ns, name, text string) {
	t.Helper()
	kubectl(t, "delete", "certificate", name, "-n", ns, "--cascade=foreground")
	kubectl(t, "delete", "secret", name+"-tls", "-n", ns)
	mustApply(t, ns, text)
}

// waiting waits until a request in a namespace says that certwire refused its Order, and returns the text.
func waiting(t *testing.T, ns string) string {
	t.Helper()
	text := ""
	eventually(t, "a request in "+ns+" waits for the budget", func() bool {
		for line := range strings.SplitSeq(kubectl(t, "get", "certificaterequests", "-n", ns, "-o",
			`jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].message}{"\n"}{end}`), "\n") {
			if strings.Contains(line, "orders.guard.certwire.dev") && strings.Contains(line, "is not placed at") {
				text = line
				return true
			}
		}
		return false
	})
	return text
}

// column reads one column of the budget of a domain.
func column(t *testing.T, domain, path string) string {
	t.Helper()
	return kubectl(t, "get", "issuancebudgets", "-o", fmt.Sprintf(`jsonpath={.items[?(@.spec.domain==%q)]%s}`, domain, path))
}

func TestALoopIsStoppedAtTheCAsOwnCount(t *testing.T) {
	t.Parallel()
	ns, domain := guarded(t)
	names := []string{domain, "www." + domain}
	web := certificate("web", productionIssuer, names...)
	mustApply(t, ns, web)
	ready(t, ns, "web")
	for range 4 {
		recreate(t, ns, "web", web)
		ready(t, ns, "web")
	}
	counts(t, production, 5, names...)

	// The Secret goes once more, and nobody asks admission about that: the Order is refused.
	kubectl(t, "delete", "secret", "web-tls", "-n", ns)
	text := waiting(t, ns)
	for _, part := range []string{
		"of 5 certificates in 7 days for the same set of names (" + domain + " www." + domain + ") at least 5 are used",
		"Used most by " + ns + "/web (5)", "the next order is possible at 20", " UTC. Used", "It is tried again by itself",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("the refusal does not say %q: %s", part, text)
		}
	}
	eventually(t, "an Event on the Certificate", func() bool {
		return strings.Contains(kubectl(t, "describe", "certificate", "web", "-n", ns), "at least 5 are used")
	})

	// With the Certificate gone too, the person who applies it is told.
	kubectl(t, "delete", "certificate", "web", "-n", ns, "--cascade=foreground")
	eventually(t, "the Certificate is refused", func() bool {
		out, err := apply(t, ns, web, "--dry-run=server")
		return err != nil && strings.Contains(out, "would order from") && strings.Contains(out, "Apply it again then")
	})
	counts(t, production, 5, names...)

	table := kubectl(t, "get", "issuancebudgets")
	t.Log("\n" + table)
	eventually(t, "the budget shows it", func() bool {
		return column(t, domain, ".status.used") == "5" && column(t, domain, ".status.limit") == "5" &&
			column(t, domain, ".status.bucket") == "certificates-per-set" && column(t, domain, ".status.topConsumer") == ns+"/web (5)"
	})
	missing := ""
	defer func() {
		if t.Failed() {
			t.Logf("the metrics lack: %s", missing)
		}
	}()
	eventually(t, "the metrics show it on every replica", func() bool {
		for i, r := range certwire.Replicas {
			for prefix, value := range map[string]string{
				"certwire_budget_remaining{ca=": " 0", "certwire_budget_next_slot_timestamp_seconds{ca=": "", "certwire_ledger_lag_seconds": "",
			} {
				if strings.HasSuffix(prefix, "{ca=") {
					prefix += fmt.Sprintf("%q,domain=%q,limit=%q}", strings.TrimSuffix(strings.TrimPrefix(certManager.ACME(production), "https://"), "/dir"), domain, "certificates-per-set")
				}
				line, err := r.Metric(t.Context(), prefix)
				if err != nil || !strings.HasSuffix(line, value) {
					missing = fmt.Sprintf("replica %d at %s: %s, want %s%s (%v)", i, r.Metrics, line, prefix, value, err)
					return false
				}
			}
		}
		return true
	})
}

func TestRecreationWithTheSecretKeptIsNeverRefused(t *testing.T) {
	t.Parallel()
	ns, domain := guarded(t)
	web := certificate("web", productionIssuer, domain)
	mustApply(t, ns, web)
	ready(t, ns, "web")
	other, _ := guarded(t) // somebody else uses up the rest of the same set
	mustApply(t, other, certificate("copy", productionIssuer, domain))
	ready(t, other, "copy")
	for range 3 {
		kubectl(t, "delete", "secret", "copy-tls", "-n", other)
		ready(t, other, "copy")
	}
	counts(t, production, 5, domain)
	for range 6 {
		kubectl(t, "delete", "certificate", "web", "-n", ns, "--cascade=foreground")
		mustApply(t, ns, web)
		ready(t, ns, "web")
	}
	counts(t, production, 5, domain)
}

func TestFlippingNamesIsStopped(t *testing.T) {
	t.Parallel()
	ns, domain := guarded(t)
	one, two := "one."+domain, "two."+domain
	mustApply(t, ns, certificate("web", productionIssuer, one))
	ready(t, ns, "web")
	flips, refused := 0, ""
	for flips < 20 {
		name := one
		if flips%2 == 0 {
			name = two
		}
		out, err := apply(t, ns, certificate("web", productionIssuer, name))
		if err != nil {
			refused = out
			break
		}
		flips++
		ready(t, ns, "web")
	}
	if flips != 9 || !strings.Contains(refused, "at least 5 are used") {
		t.Errorf("stopped after %d flips, want 9: %s", flips, refused)
	}
	counts(t, production, 5, one)
	counts(t, production, 5, two)
}

func TestAnOverwrittenSecretIsStopped(t *testing.T) {
	t.Parallel()
	ns, domain := guarded(t)
	mustApply(t, ns, certificate("web", productionIssuer, domain))
	ready(t, ns, "web")
	garbage := []byte(`{"data":{"tls.crt":"Z2FyYmFnZQ=="}}`)
	overwritten := 0
	for refused := false; !refused && overwritten < 30; {
		issued := certManager.Issued(production, domain)
		if _, err := cluster.Client.CoreV1().Secrets(ns).Patch(t.Context(), "web-tls", "application/merge-patch+json", garbage, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		overwritten++
		eventually(t, "it is issued again, or refused", func() bool {
			out := kubectl(t, "get", "certificaterequests", "-n", ns, "-o", "jsonpath={.items[*].status.conditions[*].message}")
			refused = strings.Contains(out, "is not placed at")
			secret, err := cluster.Client.CoreV1().Secrets(ns).Get(t.Context(), "web-tls", metav1.GetOptions{})
			return refused || err == nil && certManager.Issued(production, domain) > issued && string(secret.Data["tls.crt"]) != "garbage"
		})
		if !refused { // while it is still issuing, cert-manager writes the same certificate again and orders nothing
			ready(t, ns, "web")
		}
	}
	counts(t, production, 5, domain)
}

func TestPreviewEnvironmentsUnderOneDomainAreStopped(t *testing.T) {
	t.Parallel()
	_, domain := guarded(t)
	for i := range 6 {
		preview, _ := guarded(t)
		mustApply(t, preview, certificate("web", quickIssuer, fmt.Sprintf("pr-%d.%s", i, domain)))
		ready(t, preview, "web")
	}
	preview, _ := guarded(t)
	out, err := apply(t, preview, certificate("web", quickIssuer, "pr-6."+domain))
	if err == nil || !strings.Contains(out, "of 6 certificates in 12 hours for "+domain+" at least 6 are used") {
		t.Errorf("the seventh in a new namespace: %v\n%s", err, out)
	}
	eventually(t, "the budget knows all six", func() bool { return column(t, domain, ".status.used") == "6" })
	for i := range 6 {
		counts(t, quick, 1, fmt.Sprintf("pr-%d.%s", i, domain))
	}
	counts(t, quick, 0, "pr-6."+domain)
}

func TestADueRenewalPassesWhileTheDomainIsUsedUp(t *testing.T) {
	t.Parallel()
	ns, domain := guarded(t)
	web := "web." + domain
	mustApply(t, ns, certificate("web", quickIssuer, web))
	ready(t, ns, "web")
	for i := range 5 {
		name := fmt.Sprintf("fill-%d", i)
		mustApply(t, ns, certificate(name, quickIssuer, name+"."+domain))
		ready(t, ns, name)
	}
	if out, err := apply(t, ns, certificate("late", quickIssuer, "late."+domain)); err == nil || !strings.Contains(out, "at least 6 are used") {
		t.Fatalf("the domain is not used up: %v\n%s", err, out)
	}
	// Pebble's certificates are valid for 90 days: this one is due at once.
	kubectl(t, "patch", "certificate", "web", "-n", ns, "--type=merge", "-p", `{"spec":{"renewBefore":"2159h59m58s"}}`)
	eventually(t, "it is renewed", func() bool { return certManager.Issued(quick, web) >= 2 })
	kubectl(t, "patch", "certificate", "web", "-n", ns, "--type=merge", "-p", `{"spec":{"renewBefore":"720h"}}`)
	counts(t, quick, 0, "late."+domain)
}

func TestIssuanceResumesByItself(t *testing.T) {
	t.Parallel()
	ns, domain := guarded(t)
	mustApply(t, ns, certificate("web", quickIssuer, domain))
	ready(t, ns, "web")
	kubectl(t, "delete", "secret", "web-tls", "-n", ns)
	eventually(t, "it is issued again", func() bool { return certManager.Issued(quick, domain) == 2 })
	ready(t, ns, "web")
	kubectl(t, "delete", "secret", "web-tls", "-n", ns)
	waiting(t, ns)
	counts(t, quick, 2, domain)
	eventually(t, "it is issued with no hand", func() bool { return certManager.Issued(quick, domain) == 3 })
	ready(t, ns, "web")
	history, err := certManager.History(quick)
	if err != nil {
		t.Fatal(err)
	}
	var at []time.Time
	for _, o := range history {
		if len(o.Names) == 1 && o.Names[0] == domain {
			at = append(at, o.At)
		}
	}
	// Two at once, and one more 20 s after the first: the budget was empty until then.
	t.Logf("resumed %s after the first order; the slot was at 20s", at[2].Sub(at[0]).Round(10*time.Millisecond))
	if at[2].Sub(at[0]) < 19*time.Second {
		t.Errorf("resumed too early: %s", at[2].Sub(at[0]))
	}
	if retried := kubectl(t, "get", "certificaterequests", "-n", ns, "-o", "jsonpath={.items[*].metadata.annotations.certwire\\.dev/retry}"); retried == "" {
		t.Error("nobody had it tried again")
	}
}

func TestARefusedOrderCausesNoHotLoop(t *testing.T) {
	t.Parallel()
	ns, domain := guarded(t)
	mustApply(t, ns, certificate("web", productionIssuer, domain))
	ready(t, ns, "web")
	for n := 2; n <= 5; n++ {
		kubectl(t, "delete", "secret", "web-tls", "-n", ns)
		eventually(t, "it is issued again", func() bool { return certManager.Issued(production, domain) == n })
		ready(t, ns, "web")
	}
	kubectl(t, "delete", "secret", "web-tls", "-n", ns)
	waiting(t, ns)
	first := orderAttempts(t, ns)[0:]
	refusedSince := time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for time.Since(refusedSince) < 180*time.Second { // the time is what is asked for, not a condition
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
	attempts := orderAttempts(t, ns)
	refused := 0
	for _, code := range attempts {
		if code == 403 {
			refused++
		}
	}
	t.Logf("%d refused attempts in 180 s (%d of them at once)", refused, len(first)-5)
	if refused > 7 || refused < 2 {
		t.Errorf("%d refused attempts in 180 s, want at most 7", refused)
	}
	counts(t, production, 5, domain)
}

// orderAttempts returns the API server's answers to attempts to create an Order in a namespace, from its audit log.
func orderAttempts(t *testing.T, ns string) []int {
	t.Helper()
	f, err := os.Open(cluster.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var codes []int
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e struct {
			Stage, Verb    string
			ObjectRef      struct{ Resource, Namespace, Subresource string }
			ResponseStatus struct{ Code int }
		}
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Stage != "ResponseComplete" || e.Verb != "create" {
			continue
		}
		if e.ObjectRef.Resource == "orders" && e.ObjectRef.Namespace == ns && e.ObjectRef.Subresource == "" {
			codes = append(codes, e.ResponseStatus.Code)
		}
	}
	return codes
}

func TestConcurrentOrdersOvershootByNone(t *testing.T) {
	t.Parallel()
	ns, domain := guarded(t)
	kubectl(t, "label", "namespace", ns, "x=y") // it exists for everybody
	var all strings.Builder
	for i := range 25 {
		all.WriteString("---" + certificate(fmt.Sprintf("web-%d", i), productionIssuer, domain))
	}
	_, _ = apply(t, ns, all.String()) // the last ones may already be told that it is used up
	eventually(t, "all are issued or refused", func() bool {
		certificates := len(strings.Fields(kubectl(t, "get", "certificates", "-n", ns, "-o", "name")))
		out := kubectl(t, "get", "certificaterequests", "-n", ns, "-o", `jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].reason} {.status.conditions[?(@.type=="Ready")].message}{"\n"}{end}`)
		return strings.Count(out, "Issued ")+strings.Count(out, "is not placed at") == certificates && certificates >= 5
	})
	counts(t, production, 5, domain)
}
