package deliveries

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

var now = time.Date(2026, 11, 23, 18, 0, 0, 0, time.UTC)

func delivery(name string, state v1alpha1.DeliveryState, cause string) v1alpha1.CertificateDelivery {
	verified := metav1.NewTime(now.Add(-time.Hour))
	return v1alpha1.CertificateDelivery{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Status: v1alpha1.CertificateDeliveryStatus{
			State: state, Cause: cause, Revision: 3, Replicas: "2/3", Current: 2, Total: 3, Oldest: "2026-12-24 09:10 UTC", Lag: "600ms", Verified: &verified,
			Leaf: &v1alpha1.DeliveredLeaf{Serial: "3f9a01", NotAfter: metav1.NewTime(now.Add(90 * 24 * time.Hour))},
			Endpoints: []v1alpha1.DeliveryEndpoint{
				{Pod: "web-2", Port: "8443", State: "previous", Serial: "77"}, {Pod: "web-0", Port: "8443", State: "current", Serial: "3f9a01"},
				{Pod: "web-1", Port: "8443", State: "unreachable", Cause: "refused"},
			},
		},
	}
}

func TestWhatNeedsSomebodyComesFirst(t *testing.T) {
	t.Parallel()
	list := []v1alpha1.CertificateDelivery{
		delivery("a", v1alpha1.DeliveryDelivered, ""), delivery("d", v1alpha1.DeliveryDelivering, ""), delivery("c", v1alpha1.DeliveryUnverified, "no-consumer"),
		delivery("b", v1alpha1.DeliveryStale, "partial"),
	}
	Sort(list)
	var out bytes.Buffer
	if err := Table(&out, list, Style{Namespaces: true, Wide: true, Now: now}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for i, want := range []string{
		"NAMESPACE CERTIFICATE STATE REPLICAS CAUSE SERIAL OLDEST LAG LAYER ISSUANCE ENDS PROVEN",
		"shop b Stale 2/3 partial 3f9a01 2026-12-24 09:10 UTC 600ms - - 2027-02-21 18:00 UTC 1h0m0s ago",
		"shop c Unverified 2/3 no-consumer", "shop d Delivering", "shop a Delivered 2/3 - 3f9a01",
	} {
		if got := strings.Join(strings.Fields(lines[i]), " "); !strings.HasPrefix(got, want) {
			t.Errorf("line %d is %q, want %q", i, got, want)
		}
	}
	if Stale(list) != 1 {
		t.Errorf("%d are stale", Stale(list))
	}
}

// full is a delivery with everything that there may be.
func full() v1alpha1.CertificateDelivery {
	d := delivery("web", v1alpha1.DeliveryStale, "controller-stale")
	until := metav1.NewTime(now.Add(time.Hour))
	d.Status.Layer, d.Status.Message = "front", "Ingress/web is behind"
	d.Status.Issuance = &v1alpha1.DeliveryIssuance{Cause: "rate-limited", Message: "too many", Until: &until}
	d.Status.Mirrors = []v1alpha1.DeliveryMirror{{Namespace: "edge", Name: "copy", Tool: "reflector", State: "previous", Serial: "77"}}
	d.Status.Rollouts = []v1alpha1.DeliveryRollout{{Workload: "Deployment/web", At: until}}
	d.Status.TakesUp = []string{"Deployment/proxy", "StatefulSet/db"}
	d.Status.Endpoints = []v1alpha1.DeliveryEndpoint{
		{Namespace: "ingress-nginx", Pod: "controller-0", For: "Ingress/web", Port: "443", State: "previous"}, {For: "Ingress/api", State: "no-port"},
	}
	return d
}

func TestDetailsSayWhatHelps(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		delivery v1alpha1.CertificateDelivery
		want     []string
		not      string
	}{
		"a replica is stale": {delivery("web", v1alpha1.DeliveryStale, "partial"), []string{
			"shop/web is Stale (partial)", "serial 3f9a01, until 2027-02-21 18:00 UTC (revision 3)", "served by 2 of 3 replicas; the oldest certificate on the wire ends 2026-12-24",
			"web-2   8443   previous, serial 77", "web-1   8443   unreachable (refused)", "rollout restart",
		}, "wide"},
		"everything that there may be": {full(), []string{
			"the next certificate is not issued: rate-limited, too many, until 2026-11-23 19:00 UTC", "the first stale layer is: front", "Ingress/web is behind",
			"a copy in Secret edge/copy (reflector) is previous, serial 77", "certwire has rolled out Deployment/web at 2026-11-23 19:00 UTC",
			"by themselves: Deployment/proxy, StatefulSet/db", "ingress-nginx/controller-0 for Ingress/web   443   previous", "nobody for Ingress/api",
			"rollout restart of it helps now",
		}, "wide"},
		"everything is fine": {delivery("web", v1alpha1.DeliveryDelivered, ""), []string{"shop/web is Delivered", "proven 1h0m0s ago, 600ms after the issuance"}, "helps"},
		"nothing was issued": {v1alpha1.CertificateDelivery{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "new"}}, []string{"shop/new is Pending", "not known what is to be served"}, "served by"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if err := Details(&out, &c.delivery, Style{Now: now}); err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("not there: %q in\n%s", want, out.String())
				}
			}
			if strings.Contains(out.String(), c.not) {
				t.Errorf("%q in\n%s", c.not, out.String())
			}
		})
	}
}

// causes are those of the table in docs/delivery.md that need somebody.
var causes = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| `(?:Stale|Unverified)")

func TestEveryCauseHasARemedy(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../../docs/delivery.md")
	if err != nil {
		t.Fatal(err)
	}
	all := causes.FindAllStringSubmatch(string(text), -1)
	if len(all) < 5 {
		t.Fatalf("%d causes in docs/delivery.md", len(all))
	}
	for _, m := range all {
		if Remedy(m[1]) == "" {
			t.Errorf("nothing is said of %s", m[1])
		}
	}
	for _, cause := range []string{"controller-stale", "ca-bundle", "no-controller", "shadowed", "mirror-stale", "secret-overwritten"} {
		if Remedy(cause) == "" {
			t.Errorf("nothing is said of %s", cause)
		}
	}
}
