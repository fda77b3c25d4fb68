package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/certwire/certwire/pkg/ledger"
)

const (
	productionHost = "acme-v02.api.letsencrypt.org"
	orderURL       = "https://" + productionHost + "/acme/order/1/2"
)

// registered is a registered domain that no other test uses, by the public suffix list's private section.
func registered(ns string) string { return strings.ReplaceAll(ns, "-", "") + ".github.io" }

// order is an Order of Issuer le for a Certificate web.
func order(name string, names ...string) string {
	return `
apiVersion: acme.cert-manager.io/v1
kind: Order
metadata: {name: ` + name + `, annotations: {cert-manager.io/certificate-name: web}}
spec: {request: eA==, dnsNames: [` + strings.Join(names, ", ") + `], issuerRef: {name: le}}
`
}

// issues makes an Order that the CA has issued for.
func issues(t *testing.T, ns, name string, names ...string) {
	t.Helper()
	mustApply(t, ns, order(name, names...))
	kubectl(t, "patch", "order", name, "-n", ns, "--subresource=status", "--type=merge", "-p", `{"status":{"state":"valid","url":"`+orderURL+`"}}`)
}

// budgetColumn reads one field of a domain's budget at Let's Encrypt; empty when there is no budget.
func budgetColumn(t *testing.T, domain, path string) string {
	t.Helper()
	out, err := cluster.Kubectl(t.Context(), "", "get", "issuancebudget", ledger.BudgetName(productionHost, domain, ""), "-o", "jsonpath={"+path+"}", "--ignore-not-found")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// counted waits until the budget's fullest bucket is this one.
func counted(t *testing.T, domain, bucket string, used int) {
	t.Helper()
	want := fmt.Sprintf("%s %d", bucket, used)
	last := ""
	defer func() {
		if t.Failed() {
			t.Logf("the budget of %s says %q, want %q", domain, last, want)
		}
	}()
	eventually(t, "the budget of "+domain+" says "+want, func() bool {
		last = budgetColumn(t, domain, ".status.bucket") + " " + budgetColumn(t, domain, ".status.used")
		return last == want
	})
}

// always is true when every replica says the same about a text that is not stored.
func always(t *testing.T, ns, text string, refused bool, part string) func() bool {
	t.Helper()
	return func() bool {
		for range 4 {
			out, err := apply(t, ns, text, "--dry-run=server")
			if (err != nil) != refused || !strings.Contains(out, part) {
				return false
			}
		}
		return true
	}
}

// budget is the YAML of one; rest is more of its spec.
func budget(domain, rest string) string {
	return `
apiVersion: certwire.dev/v1alpha1
kind: IssuanceBudget
metadata: {name: ` + ledger.BudgetName(productionHost, domain, "") + `}
spec: {ca: ` + productionHost + `, domain: ` + domain + `, ` + rest + `}
`
}

func removeBudget(t *testing.T, domain string) {
	t.Helper()
	t.Cleanup(func() {
		_, _ = cluster.Kubectl(context.Background(), "", "delete", "issuancebudget", ledger.BudgetName(productionHost, domain, ""), "--ignore-not-found")
	})
}

func TestABudgetIsValidated(t *testing.T) {
	t.Parallel()
	domain := registered(namespace(t))
	const head = "apiVersion: certwire.dev/v1alpha1\nkind: IssuanceBudget\nmetadata: {name: some-budget}\nspec: "
	for sentence, c := range map[string]struct{ spec, want string }{
		"neither a domain nor an account":      {"{ca: ca.example}", "exactly one of domain and account"},
		"both a domain and an account":         {"{ca: ca.example, domain: example.com, account: https://ca.example/1}", "exactly one of domain and account"},
		"no CA":                                {"{domain: example.com}", "spec.ca: Required value"},
		"a CA that is a URL":                   {"{ca: https://ca.example/directory, domain: example.com}", "spec.ca: Invalid value"},
		"a share of nothing":                   {"{ca: ca.example, domain: example.com, share: 0}", "should be greater than or equal to 1"},
		"a share of more than everything":      {"{ca: ca.example, domain: example.com, share: 101}", "should be less than or equal to 100"},
		"a reserve below nothing":              {"{ca: ca.example, domain: example.com, reserve: -1}", "should be greater than or equal to 0"},
		"a limit of no orders":                 {"{ca: ca.example, domain: example.com, limit: {count: 0, period: 168h}}", "should be greater than or equal to 1"},
		"a limit without its period":           {"{ca: ca.example, domain: example.com, limit: {count: 5}}", "spec.limit.period: Required value"},
		"a period that is no duration":         {"{ca: ca.example, domain: example.com, limit: {count: 5, period: a week}}", "spec.limit.period"},
		"a period of less than a second":       {"{ca: ca.example, domain: example.com, limit: {count: 5, period: 10ms}}", "between 1s and 8784h"},
		"a period of more than a year":         {"{ca: ca.example, domain: example.com, limit: {count: 5, period: 9000h}}", "between 1s and 8784h"},
		"a field that there is not":            {"{ca: ca.example, domain: example.com, shares: 50}", `unknown field "spec.shares"`},
		"a share in words instead of a number": {"{ca: ca.example, domain: example.com, share: half}", "spec.share"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			contains(t, refused(t, "", head+c.spec, "--dry-run=server", "--validate=strict"), c.want)
		})
	}
	t.Run("what it is for cannot change, what its owner sets can", func(t *testing.T) {
		t.Parallel()
		removeBudget(t, domain)
		own := budget(domain, "share: 50, reserve: 3, limit: {count: 100, period: 168h}")
		mustApply(t, "", own)
		name := ledger.BudgetName(productionHost, domain, "")
		patch := func(spec string) (string, error) {
			return cluster.Kubectl(t.Context(), "", "patch", "issuancebudget", name, "--type=merge", "-p", `{"spec":`+spec+`}`)
		}
		for spec, want := range map[string]string{
			`{"ca":"other.example"}`:                        "the CA of a budget cannot change",
			`{"domain":"other.example"}`:                    "the domain of a budget cannot change",
			`{"domain":null,"account":"https://a.example"}`: "a domain's budget cannot become an account's",
		} {
			if out, err := patch(spec); err == nil || !strings.Contains(out, want) {
				t.Errorf("%s: %v\n%s", spec, err, out)
			}
		}
		for _, spec := range []string{`{"share":20}`, `{"share":null}`, `{"reserve":0}`, `{"limit":{"count":7,"period":"24h"}}`, `{"limit":null}`} {
			if out, err := patch(spec); err != nil {
				t.Errorf("%s: %s", spec, out)
			}
		}
	})
}

func TestABudgetIsReadWithKubectl(t *testing.T) {
	t.Parallel()
	ns := withIssuer(t, "deny", dns01)
	domain := registered(ns)
	removeBudget(t, domain)
	issues(t, ns, "web-1", domain)
	issues(t, ns, "web-2", domain)
	counted(t, domain, "certificates-per-set", 2)
	name := ledger.BudgetName(productionHost, domain, "")
	for _, resource := range []string{"ib", "budget", "budgets", "issuancebudgets.certwire.dev"} {
		lines := strings.Split(strings.TrimSpace(kubectl(t, "get", resource, name)), "\n")
		if len(lines) != 2 {
			t.Fatalf("kubectl get %s: %q", resource, lines)
		}
		if got, want := strings.Join(strings.Fields(lines[0]), " "), "NAME CA DOMAIN BUCKET USED LIMIT NEXT TOP CONSUMER AGE"; got != want {
			t.Errorf("kubectl get %s has the columns %q, want %q", resource, got, want)
		}
		want := strings.Join([]string{name, productionHost, domain, "certificates-per-set", "2", "5", ns + "/web", "(2)"}, " ")
		if got := strings.Join(strings.Fields(lines[1]), " "); !strings.HasPrefix(got, want) {
			t.Errorf("kubectl get %s says %q, want %q", resource, got, want)
		}
	}
	contains(t, kubectl(t, "get", "certwire"), name) // the category
	contains(t, kubectl(t, "explain", "issuancebudgets.spec.share"), "FIELD: share <integer>", "percentage of the limit that is this cluster's")
}

func TestHandMadeOrdersAreMetered(t *testing.T) {
	t.Parallel()
	ns := withIssuer(t, "deny", dns01)
	domain := registered(ns)
	removeBudget(t, domain)
	www := "www." + domain
	for i := range 5 {
		issues(t, ns, fmt.Sprintf("web-%d", i), domain, www)
	}
	counted(t, domain, "certificates-per-set", 5)
	sixth := order("web-6", www, domain) // the same set
	eventually(t, "the sixth is refused", always(t, ns, sixth, true,
		"of 5 certificates in 7 days for the same set of names ("+domain+" "+www+") at least 5 are used; the next order is possible at 20"))
	if out, err := apply(t, ns, sixth, "--dry-run=server"); err == nil || !strings.Contains(out, "Used most by "+ns+"/web (5). It is tried again by itself") {
		t.Errorf("the refusal does not say who used it: %v %s", err, out)
	}

	t.Run("another set of the domain passes, and holds its place until it comes to nothing", func(t *testing.T) {
		mustApply(t, ns, order("other-1", "other."+domain))
		eventually(t, "it is in flight", func() bool { return budgetColumn(t, domain, ".status.inFlight") == "1" })
		kubectl(t, "patch", "order", "other-1", "-n", ns, "--subresource=status", "--type=merge", "-p", `{"status":{"state":"invalid"}}`)
		eventually(t, "it is not any longer", func() bool { return budgetColumn(t, domain, ".status.inFlight") == "" })
		counted(t, domain, "certificates-per-set", 5)
	})
	t.Run("an order of a later version, whose fields certwire does not know, is decided all the same", func(t *testing.T) {
		later := func(names string) string {
			return `
apiVersion: acme.cert-manager.io/v1
kind: Order
metadata: {name: later, generation: 1, annotations: {cert-manager.io/certificate-name: web, future.example/x: "{}"}, future: [1]}
spec:
  request: eA==
  dnsNames: [` + names + `]
  emails: [someone@` + domain + `]
  issuerRef: {name: le, future: {deep: [1, {a: null}]}}
  future: {dnsNames: [not-this.example.com], list: [[1.5e300, "\u0000", true]]}
status: {state: unheard-of, future: {url: 7}}
future: x
`
		}
		for _, r := range certwire.Replicas {
			for names, want := range map[string]bool{domain + ", " + www: false, "later." + domain: true} {
				answer, err := r.Review(t.Context(), "/orders", ns, later(names), true)
				if err != nil {
					t.Fatal(err)
				}
				if answer.Allowed != want || len(answer.Patch) > 0 || !want && !strings.Contains(answer.Result.Message, "at least 5 are used") {
					t.Errorf("%s: %+v", names, answer)
				}
			}
		}
	})
	t.Run("what the CA itself says moves the bucket", func(t *testing.T) {
		set := "limited." + domain
		mustApply(t, ns, order("limited-1", set))
		until := time.Now().Add(24 * time.Hour).UTC().Format("2006-01-02 15:04:05 MST")
		reason := "429 urn:ietf:params:acme:error:rateLimited: too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after " +
			until + ": see https://letsencrypt.org/docs/rate-limits/#new-certificates-per-exact-set-of-identifiers"
		kubectl(t, "patch", "order", "limited-1", "-n", ns, "--subresource=status", "--type=merge", "-p",
			fmt.Sprintf(`{"status":{"state":"errored","reason":%q}}`, reason))
		eventually(t, "the next one is refused", always(t, ns, order("limited-2", set), true, "for the same set of names ("+set+") at least 5 are used"))
	})
	t.Run("nothing is taken from a dry run", func(t *testing.T) {
		for range 8 {
			if out, err := apply(t, ns, order("dry", "dry."+domain), "--dry-run=server"); err != nil {
				t.Fatal(out)
			}
		}
	})
}

func TestAServerOfOnesOwnFillsNobodysBudget(t *testing.T) {
	t.Parallel()
	ns := withIssuer(t, "deny", dns01)
	domain := registered(ns)
	removeBudget(t, domain)
	mustApply(t, ns, issuer("own", "https://acme.own.example/directory", dns01))
	for i := range 6 { // its server says that the orders are at Let's Encrypt
		mustApply(t, ns, strings.Replace(order(fmt.Sprintf("own-%d", i), domain), "name: le", "name: own", 1))
		kubectl(t, "patch", "order", fmt.Sprintf("own-%d", i), "-n", ns, "--subresource=status", "--type=merge", "-p", `{"status":{"state":"valid","url":"`+orderURL+`"}}`)
	}
	issues(t, ns, "web-1", domain) // comes after them, and counts
	counted(t, domain, "certificates-per-set", 1)
	eventually(t, "every replica lets the next one pass", always(t, ns, order("web-2", domain), false, "created"))
}

func TestWhatTheOwnerSetsHolds(t *testing.T) {
	t.Parallel()
	ns := withIssuer(t, "deny", dns01)
	for i, c := range []struct{ sentence, spec, want string }{
		{"a granted limit", "limit: {count: 3, period: 240h}", "of 3 certificates in 10 days for DOMAIN at least 3 are used"},
		{"a share of the CA's limit", "share: 6", "of 3 certificates in 7 days for DOMAIN at least 3 are used"},
		{"a share of a granted limit", "share: 50, limit: {count: 6, period: 24h}", "of 3 certificates in a day for DOMAIN at least 3 are used"},
		{"a reserve", "reserve: 47", "of 50 certificates in 7 days for DOMAIN at least 3 are used, 47 are kept for renewals"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			t.Parallel()
			domain := fmt.Sprintf("o%d%s", i, registered(ns))
			removeBudget(t, domain)
			mustApply(t, "", budget(domain, c.spec)) // the owner comes first
			next := order("next", "next."+domain)
			for n := range 3 {
				eventually(t, "a new set passes", always(t, ns, next, false, ""))
				issues(t, ns, fmt.Sprintf("o%d-%d", i, n), fmt.Sprintf("w%d.%s", n, domain))
			}
			want := strings.NewReplacer("DOMAIN", domain).Replace(c.want)
			eventually(t, c.sentence+" holds", always(t, ns, next, true, want))
			due := strings.Replace(next, "next."+domain, "w0."+domain, 1)
			if strings.Contains(c.spec, "reserve") {
				return // it is kept of every bucket, that of a set of names, too
			}
			eventually(t, "the same set again is a renewal, which needs nothing of the domain's", always(t, ns, due, false, ""))
		})
	}
}

func TestACorruptBudgetIsRebuilt(t *testing.T) {
	t.Parallel()
	ns := withIssuer(t, "deny", dns01)
	domain := registered(ns)
	removeBudget(t, domain)
	for i := range 5 {
		issues(t, ns, fmt.Sprintf("web-%d", i), domain)
	}
	counted(t, domain, "certificates-per-set", 5)
	sixth := order("web-6", domain)
	eventually(t, "the sixth is refused", always(t, ns, sixth, true, "at least 5 are used"))
	before := corruptions(t)
	name := ledger.BudgetName(productionHost, domain, "")
	kubectl(t, "patch", "issuancebudget", name, "--subresource=status", "--type=merge", "-p", `{"status":{"state":"bm9uc2Vuc2U="}}`)

	// Orders there are decided all the while: let through, or refused with the rule's own words.
	decided := func() {
		t.Helper()
		if out, err := apply(t, ns, order("meanwhile", "meanwhile."+domain), "--dry-run=server"); err != nil && !strings.Contains(out, "#budget") {
			t.Errorf("not decided: %s", out)
		}
	}
	eventually(t, "it is said on the budget", func() bool {
		decided()
		return strings.Contains(kubectl(t, "get", "events", "-A", "--field-selector", "reason=BudgetRebuilt,involvedObject.name="+name), "BudgetRebuilt")
	})
	eventually(t, "it is rebuilt from the Orders", func() bool {
		decided()
		return budgetColumn(t, domain, ".status.used") == "5" && budgetColumn(t, domain, ".status.bucket") == "certificates-per-set"
	})
	if health := budgetColumn(t, domain, `.status.conditions[?(@.type=="Healthy")].status`); health != "False" {
		t.Errorf("the condition Healthy is %q", health)
	}
	if now := corruptions(t); now <= before {
		t.Errorf("the metric has not moved: %d, %d", before, now)
	}
	eventually(t, "the sixth is refused again", always(t, ns, sixth, true, "at least 5 are used"))
}

// corruptions adds up the replicas' metric.
func corruptions(t *testing.T) (sum int) {
	t.Helper()
	for _, r := range certwire.Replicas {
		n := 0
		if _, err := fmt.Sscan(metric(t, r, "certwire_ledger_corrupt_total"), &n); err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

func TestAStolenTokenChangesNoRequest(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	mustApply(t, ns, `
apiVersion: cert-manager.io/v1
kind: CertificateRequest
metadata: {name: web-1, labels: {a: b}, annotations: {kept: x}}
spec: {request: eA==, issuerRef: {name: other, group: other.example.com}}
`)
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := cluster.ServiceAccountKubeconfig(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	thief, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	requests := thief.Resource(schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: "certificaterequests"}).Namespace(ns)
	patch := func(text string, subresources ...string) error {
		_, err := requests.Patch(t.Context(), "web-1", types.MergePatchType, []byte(text), metav1.PatchOptions{}, subresources...)
		return err
	}
	for sentence, c := range map[string]struct {
		patch, want string
		subresource []string
	}{
		"a duration":                      {`{"spec":{"duration":"1h"}}`, "", nil},
		"what is signed":                  {`{"spec":{"request":"eQ=="}}`, "", nil},
		"somebody else's annotation":      {`{"metadata":{"annotations":{"kept":"y"}}}`, "no annotation of a CertificateRequest but certwire.dev/retry", nil},
		"a new annotation":                {`{"metadata":{"annotations":{"venafi.cert-manager.io/custom-fields":"y"}}}`, "no annotation of a CertificateRequest but certwire.dev/retry", nil},
		"an annotation less":              {`{"metadata":{"annotations":{"kept":null}}}`, "no annotation of a CertificateRequest but certwire.dev/retry", nil},
		"a label":                         {`{"metadata":{"labels":{"a":"c"}}}`, "never changes the labels", nil},
		"a finalizer":                     {`{"metadata":{"finalizers":["example.com/x"]}}`, "never changes the labels, finalizers", nil},
		"a foreign one beside its own":    {`{"metadata":{"annotations":{"certwire.dev/retry":"now","other":"y"}}}`, "no annotation of a CertificateRequest but", nil},
		"an approval, which is in status": {`{"status":{"conditions":[{"type":"Approved","status":"True","reason":"x"}]}}`, "forbidden", []string{"status"}},
	} {
		if err := patch(c.patch, c.subresource...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want a refusal with %q", sentence, err, c.want)
		}
	}
	if err := patch(`{"metadata":{"annotations":{"certwire.dev/retry":"now"}}}`); err != nil {
		t.Errorf("its own annotation: %v", err)
	}
	if err := patch(`{"metadata":{"annotations":{"certwire.dev/retry":null}}}`); err != nil {
		t.Errorf("its own annotation, taken back: %v", err)
	}
	if err := requests.Delete(t.Context(), "web-1", metav1.DeleteOptions{}); err == nil {
		t.Error("a request can be deleted")
	}
}
