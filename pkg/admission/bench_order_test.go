package admission

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/config"
	"github.com/certwire/certwire/pkg/ledger"
	"github.com/certwire/certwire/pkg/policy"
)

// inMemory answers from a ledger that nobody stores: the review's own cost is what a benchmark of it shows. What a place
// in a budget costs on a real API server is measured by test/bench --meter.
type inMemory struct{ *ledger.Ledger }

func (inMemory) Ready() error { return nil }

func (inMemory) Reserve(context.Context, ledger.Order, bool) (policy.Budget, error) {
	return policy.Budget{Known: true, Allowed: true}, nil
}

const benchOrder = `{"apiVersion":"acme.cert-manager.io/v1","kind":"Order","metadata":{"name":"web-1-2058813649","namespace":"shop",
"uid":"7d9c1f5e-3a60-4a0b-9c57-0b7f6f5f1f10","annotations":{"cert-manager.io/certificate-name":"web","cert-manager.io/certificate-revision":"1"},
"ownerReferences":[{"apiVersion":"cert-manager.io/v1","kind":"CertificateRequest","name":"web-1","uid":"b3a9c5d0-6f1e-4d0c-8f35-54f1d2f0a001",
"controller":true,"blockOwnerDeletion":true}]},"spec":{"request":"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K",
"issuerRef":{"name":"prod","kind":"ClusterIssuer","group":"cert-manager.io"},"dnsNames":["example.org","www.example.org"]}}`

// meteredHook is the Orders' hook with a ledger in which the order's set of names is under way so many times.
func meteredHook(tb testing.TB, times int) *Hook {
	tb.Helper()
	directories, err := acme.NewDirectories(acme.KnownCAs()...)
	if err != nil {
		tb.Fatal(err)
	}
	rules, err := policy.NewSet(policy.Rules())
	if err != nil {
		tb.Fatal(err)
	}
	now := time.Now()
	l := ledger.New(ledger.Options{
		Directories: func() acme.Directories { return directories }, Log: logr.Discard(), Now: time.Now,
	})
	service, _ := directories.Service("https://" + productionIssuer.Directory.Host)
	for i := range times {
		l.Note(ledger.NewOrder(ledger.Order{
			UID: strconv.Itoa(i), Namespace: "shop", Certificate: "web", Service: service, Created: now,
		}, []string{"example.org", "www.example.org"}))
	}
	settings := &config.Settings{Directories: directories, Modes: policy.Modes{Default: policy.ModeDeny}}
	settings.Environments.Default = "production"
	settings.Environments.Production = []string{"production"}
	known := cluster{labels: optedIn, issuer: productionIssuer}
	n := &counts{}
	return &Hook{Recorder: silent{}, Log: logr.Discard(), Reviewer: &Guard{
		Issuance: known, Permissions: known, Meter: inMemory{l}, Rules: rules, Recorder: silent{counts: n}, Now: time.Now, Closed: true,
		Settings: func() *config.Settings { return settings },
	}}
}

// silent records nothing, so that a benchmark measures no record.
type silent struct{ *counts }

func (silent) Decision(string, string, string, string, bool) {}
func (silent) Rule(string, string, string)                   {}
func (silent) Failure(string, Stage)                         {}
func (silent) Observe(string, time.Duration)                 {}

// TestMeteredOrders makes sure that the benchmark measures what its names say.
func TestMeteredOrders(t *testing.T) {
	t.Parallel()
	for times, want := range map[int]bool{0: true, 4: true, 5: false} {
		a := post(t, meteredHook(t, times), reviewOf("acme.cert-manager.io", "Order", "CREATE", benchOrder, ""))
		if a.Response.Allowed != want || !want && !strings.Contains(a.Response.Status.Message, "5 are under way") {
			t.Errorf("after %d: %s", times, a.text)
		}
	}
}

func BenchmarkOrder(b *testing.B) {
	body := reviewOf("acme.cert-manager.io", "Order", "CREATE", benchOrder, "")
	for name, times := range map[string]int{"let-through": 1, "refused": 5} {
		b.Run(name, func(b *testing.B) {
			h := meteredHook(b, times)
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(http.MethodPost, "/orders?timeout=5s", strings.NewReader(body))
				r.Header.Set("Content-Type", "application/json")
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}
