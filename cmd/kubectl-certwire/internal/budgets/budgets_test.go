package budgets

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

var now = time.Date(2026, 11, 23, 18, 0, 0, 0, time.UTC)

func budget(domain, account string, used, limit int64) v1alpha1.IssuanceBudget {
	return v1alpha1.IssuanceBudget{
		ObjectMeta: metav1.ObjectMeta{Name: domain + account},
		Spec:       v1alpha1.IssuanceBudgetSpec{CA: "acme-v02.api.letsencrypt.org", Domain: domain, Account: account},
		Status:     v1alpha1.IssuanceBudgetStatus{Subject: domain, Used: used, Limit: limit, Bucket: "certificates-per-domain"},
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	all := []v1alpha1.IssuanceBudget{
		budget("example.net", "", 0, 50), budget("example.com", "", 10, 50), budget("example.co.uk", "", 5, 5),
		budget("", "https://acme-v02.api.letsencrypt.org/acme/acct/123", 1, 300),
	}
	for sentence, c := range map[string]struct {
		name string
		want []string
	}{
		"all, the one used up most first":  {"", []string{"example.co.uk", "example.com", all[3].Name, "example.net"}},
		"a registered domain":              {"example.com", []string{"example.com"}},
		"a name below it":                  {"www.example.co.uk", []string{"example.co.uk"}},
		"a wildcard, a dot, upper case":    {"*.Shop.Example.com.", []string{"example.com"}},
		"the end of an account's URL":      {"123", []string{all[3].Name}},
		"a part of that is no end":         {"23", nil},
		"a domain of which nobody has any": {"example.org", nil},
		"a public suffix":                  {"co.uk", nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, b := range Choose(all, c.name) {
				got = append(got, b.Name)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	b := budget("example.com", "", 7, 5) // a share that was made smaller
	b.Status.Next, b.Status.TopConsumer = "2026-11-25 03:15 UTC", "shop/web (5)"
	var out bytes.Buffer
	if err := Table(&out, []v1alpha1.IssuanceBudget{b, budget("example.net", "", 0, 50)}, Style{Wide: true, Now: now}); err != nil {
		t.Fatal(err)
	}
	want := `DOMAIN        LEFT   OF   LIMIT                     NEXT                   TOP CONSUMER   CA                             IN FLIGHT   SETS
example.com   0      5    certificates-per-domain   2026-11-25 03:15 UTC   shop/web (5)   acme-v02.api.letsencrypt.org   0           0
example.net   50     50   certificates-per-domain   now                    -              acme-v02.api.letsencrypt.org   0           0
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestDetails(t *testing.T) {
	t.Parallel()
	b := budget("example.com", "", 5, 5)
	b.Spec.Share, b.Spec.Reserve = new(int32(50)), new(int32(2))
	b.Spec.Limit = &v1alpha1.GrantedLimit{Count: 100, Period: metav1.Duration{Duration: 168 * time.Hour}}
	b.Status.InFlight = 2
	b.Status.Fullest = []v1alpha1.Bucket{
		{Limit: "certificates-per-set", Of: "example.com www.example.com", Used: 5, Count: 5, Next: "2026-11-25 03:15 UTC"},
		{Limit: "certificates-per-domain", Of: "example.com", Used: 10, Count: 50},
	}
	for i := range 10 {
		o := v1alpha1.CountedOrder{Time: metav1.NewTime(now.Add(-time.Duration(i) * time.Hour)), Namespace: "shop", Certificate: "web", Names: "example.com"}
		if i%5 == 4 {
			o.Namespace, o.Certificate, o.Renewal = fmt.Sprintf("preview-%d", i), "", true
		}
		b.Status.Recent = append(b.Status.Recent, o)
	}
	b.Status.Conditions = []metav1.Condition{{Type: "Healthy", Status: "False", Message: "What was stored could not be read"}}
	var short, wide bytes.Buffer
	if err := Details(&short, &b, Style{Now: now}); err != nil {
		t.Fatal(err)
	}
	if err := Details(&wide, &b, Style{Now: now, Wide: true}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"example.com at acme-v02.api.letsencrypt.org\n", "granted by the CA: 100 in 168h0m0s", "share: 50%", "renewals: 2",
		"0 of 5     certificates-per-set      example.com www.example.com   next order at 2026-11-25 03:15 UTC, in 33h15m\n",
		"40 of 50   certificates-per-domain   example.com                   an order is possible now\n",
		"2 orders were let through", "Busiest of the last 10 orders\n  8   shop/web\n  1   preview-4/(no Certificate)\n",
		"2026-11-23 18:00 UTC   shop/web                     counts    example.com\n", "  and 2 more: -o wide\n", "Healthy is False: What was stored",
	} {
		if !strings.Contains(short.String(), want) {
			t.Errorf("not there: %q\nin: %s", want, &short)
		}
	}
	if strings.Contains(wide.String(), "more: -o wide") || strings.Count(wide.String(), "UTC") != 11 {
		t.Errorf("wide: %s", &wide)
	}
}
