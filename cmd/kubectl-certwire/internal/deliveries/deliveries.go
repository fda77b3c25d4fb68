// Package deliveries shows CertificateDeliveries to a person: which certificates are on the wire, which are not, and what
// helps.
//
// Start reading at [Table] and [Details].
package deliveries

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/terminal"
	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

// Style says how to write.
type Style struct {
	// Wide shows what few need: when it was proven, and every endpoint.
	Wide bool
	// Namespaces shows which namespace a line is of.
	Namespaces bool
	Paint      terminal.Painter
	Now        time.Time
}

// rank is the order in which people want to read of states.
var rank = map[v1alpha1.DeliveryState]int{
	v1alpha1.DeliveryStale: 0, v1alpha1.DeliveryUnverified: 1, v1alpha1.DeliveryDelivering: 2, v1alpha1.DeliveryPending: 3, v1alpha1.DeliveryDelivered: 4,
}

// Sort brings what needs somebody to the top.
func Sort(list []v1alpha1.CertificateDelivery) {
	slices.SortStableFunc(list, func(a, b v1alpha1.CertificateDelivery) int {
		return cmp.Or(cmp.Compare(rank[a.Status.State], rank[b.Status.State]), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
}

// Stale counts those that are known not to be on the wire.
func Stale(list []v1alpha1.CertificateDelivery) int {
	n := 0
	for i := range list {
		if list[i].Status.State == v1alpha1.DeliveryStale {
			n++
		}
	}
	return n
}

// Table writes one line for each delivery.
func Table(w io.Writer, list []v1alpha1.CertificateDelivery, s Style) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(t, strings.Join(head(s), "\t"))
	for i := range list {
		_, _ = fmt.Fprintln(t, strings.Join(row(&list[i], s), "\t"))
	}
	return t.Flush()
}

func head(s Style) []string {
	cells := []string{"CERTIFICATE", "STATE", "REPLICAS", "CAUSE", "SERIAL", "OLDEST", "LAG"}
	if s.Namespaces {
		cells = append([]string{"NAMESPACE"}, cells...)
	}
	if s.Wide {
		cells = append(cells, "LAYER", "ISSUANCE", "ENDS", "PROVEN")
	}
	return cells
}

func row(d *v1alpha1.CertificateDelivery, s Style) []string {
	cells := []string{
		d.Name, word(d), cmp.Or(d.Status.Replicas, "-"), cmp.Or(d.Status.Cause, "-"), serial(d), cmp.Or(d.Status.Oldest, "-"), cmp.Or(d.Status.Lag, "-"),
	}
	if s.Namespaces {
		cells = append([]string{d.Namespace}, cells...)
	}
	if s.Wide {
		stuck := "-"
		if d.Status.Issuance != nil {
			stuck = d.Status.Issuance.Cause
		}
		cells = append(cells, cmp.Or(d.Status.Layer, "-"), stuck, ends(d), proven(d, s.Now))
	}
	return cells
}

// Details writes one delivery in full: what is to be served, what each place serves, and what helps.
func Details(w io.Writer, d *v1alpha1.CertificateDelivery, s Style) error {
	p := &printer{w: w}
	p.printf("%s is %s\n", s.Paint.Bold(d.Namespace+"/"+d.Name), colour(d, s.Paint))
	if l := d.Status.Leaf; l != nil {
		p.printf("  to be served: serial %s, until %s (revision %d)\n", l.Serial, ends(d), d.Status.Revision)
	} else {
		p.printf("  it is not known what is to be served: no CertificateRequest of this revision was granted\n")
	}
	if d.Status.Total > 0 {
		p.printf("  served by %d of %d replicas", d.Status.Current, d.Status.Total)
		if d.Status.Oldest != "" {
			p.printf("; the oldest certificate on the wire ends %s", d.Status.Oldest)
		}
		p.printf("\n")
	}
	if d.Status.Verified != nil {
		p.printf("  proven %s", proven(d, s.Now))
		if d.Status.Lag != "" {
			p.printf(", %s after the issuance", d.Status.Lag)
		}
		p.printf("\n")
	}
	issuance(p, d, s)
	if d.Status.Layer != "" && d.Status.State != v1alpha1.DeliveryDelivered {
		p.printf("  the first stale layer is: %s\n", s.Paint.Bold(d.Status.Layer))
	}
	if d.Status.Message != "" {
		p.printf("  %s\n", d.Status.Message)
	}
	beside(p, d, s)
	endpoints(p, d, s)
	if help := Remedy(d.Status.Cause); help != "" && d.Status.State != v1alpha1.DeliveryDelivered {
		p.printf("\n%s\n", s.Paint.Yellow(help))
	}
	return p.err
}

// shownEndpoints is how many places are shown where nobody asked for all; those that serve something else come first.
const shownEndpoints = 10

func endpoints(p *printer, d *v1alpha1.CertificateDelivery, s Style) {
	shown := d.Status.Endpoints
	if !s.Wide {
		shown = shown[:min(len(shown), shownEndpoints)]
	}
	if len(shown) == 0 {
		return
	}
	p.printf("\n")
	t := tabwriter.NewWriter(p.w, 0, 0, 3, ' ', 0)
	for _, e := range shown {
		seen := e.State
		if e.Cause != "" {
			seen += " (" + e.Cause + ")"
		}
		if e.Serial != "" {
			seen += ", serial " + e.Serial
		}
		name := cmp.Or(e.Pod, "nobody")
		if e.Namespace != "" && e.Pod != "" {
			name = e.Namespace + "/" + e.Pod
		}
		if e.For != "" {
			name += " for " + e.For
		}
		_, _ = fmt.Fprintf(t, "  %s\t%s\t%s\n", name, cmp.Or(e.Port, "-"), seen)
	}
	if err := t.Flush(); p.err == nil {
		p.err = err
	}
	if n := len(d.Status.Endpoints) - len(shown); n > 0 {
		p.printf("  and %d more: -o wide\n", n)
	}
}

// Remedy says in a sentence what helps for a cause of docs/delivery.md; empty for one that needs nobody.
func Remedy(cause string) string { //nolint:gocyclo // one case for each cause
	switch cause {
	case "reload-missing", "partial":
		return "kubectl rollout restart of the workload helps now; a method or a preset on its template (docs/agent.md) from then on."
	case "wrong-secret":
		return "A restart does not help: pods younger than the Secret serve something else. Look at what they really mount."
	case "mirror-stale":
		return "A copy of the Secret is behind: the tool that makes it has stopped, or may not copy (docs/mirrors.md)."
	case "secret-overwritten":
		return "Something else than cert-manager has written the Secret: find it (kubectl get secret NAME --show-managed-fields -o jsonpath='{.metadata.managedFields[*].manager}'), then cmctl renew."
	case "restart-failed":
		return "A pod was to restart and has not come back with the new certificate: kubectl describe pod and its logs say why."
	case "restart-blocked":
		return "Nothing may restart: other pods are away, or a PodDisruptionBudget allows none. kubectl get pods,pdb shows which."
	case "default-certificate":
		return "The server makes up a certificate, since it has none: its reference to the Secret is broken."
	case "foreign":
		return "Something with other names answers there. certwire.dev/verify names the port that is meant."
	case "unreachable":
		return "Nobody can tell: nothing was seen. Let certwire's pods in (NetworkPolicy, mesh), or name the port with certwire.dev/verify."
	case "not-tls":
		return "Something answers, but not with TLS. certwire.dev/verify names the port and its protocol, as in 5432+postgres."
	case "not-ready":
		return "A pod has not been Ready for long: kubectl describe pod says why."
	case "no-port":
		return "Nobody knows where the server speaks TLS: certwire.dev/verify, or a containerPort, says so."
	case "ahead":
		return "A newer certificate than cert-manager's newest is served: somebody else writes the Secret, or the CertificateRequest is gone."
	case "no-consumer":
		return "No pod, Ingress or Gateway uses the Secret, as far as can be seen. Is it needed?"
	case "controller-stale":
		return "The Ingress or Gateway controller has not taken up the Secret: kubectl rollout restart of it helps now; see whether it may watch Secrets (kubectl certwire doctor)."
	case "ca-bundle":
		return "Its callers do not trust what is served: their caBundle is of another CA. cert-manager's cainjector writes it (cert-manager.io/inject-ca-from)."
	case "no-controller":
		return "Nobody knows whose pods serve the Ingress or Gateway: certwire.dev/service on its IngressClass names their Service."
	case "shadowed":
		return "Another object has another Secret for the same host, and comes first: remove one of the two."
	}
	return ""
}

func word(d *v1alpha1.CertificateDelivery) string { return cmp.Or(string(d.Status.State), "Pending") }

func colour(d *v1alpha1.CertificateDelivery, paint terminal.Painter) string {
	text := word(d)
	if d.Status.Cause != "" {
		text += " (" + d.Status.Cause + ")"
	}
	switch d.Status.State {
	case v1alpha1.DeliveryStale:
		return paint.Red(text)
	case v1alpha1.DeliveryDelivered:
		return paint.Green(text)
	default:
		return paint.Yellow(text)
	}
}

// minutes is how certwire writes a time for people (pkg/policy, ToTheMinute).
const minutes = "2006-01-02 15:04 MST"

func serial(d *v1alpha1.CertificateDelivery) string {
	if d.Status.Leaf == nil {
		return "-"
	}
	return d.Status.Leaf.Serial
}

func ends(d *v1alpha1.CertificateDelivery) string {
	if d.Status.Leaf == nil {
		return "-"
	}
	return d.Status.Leaf.NotAfter.UTC().Format(minutes)
}

func proven(d *v1alpha1.CertificateDelivery, now time.Time) string {
	if d.Status.Verified == nil {
		return "-"
	}
	return now.Sub(d.Status.Verified.Time).Round(time.Second).String() + " ago"
}

// printer keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
