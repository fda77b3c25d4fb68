// Package budgets shows IssuanceBudgets to a person: what is left, until when, and who uses it up.
//
// Start reading at [Choose] and [Details].
package budgets

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/terminal"
	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

// Choose keeps the budgets that a name belongs to: a registered domain, a name below it, an address, or the end of an
// account's URL. An empty name keeps all. They are sorted, the one used up most first.
func Choose(all []v1alpha1.IssuanceBudget, name string) []v1alpha1.IssuanceBudget {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	domain := acme.RegisteredDomain(strings.TrimPrefix(name, "*."))
	var out []v1alpha1.IssuanceBudget
	for _, b := range all {
		switch {
		case name == "", b.Name == name, b.Spec.Domain != "" && (b.Spec.Domain == name || b.Spec.Domain == domain),
			b.Spec.Account != "" && (b.Spec.Account == name || strings.HasSuffix(strings.ToLower(b.Spec.Account), "/"+name)):
			out = append(out, b)
		}
	}
	slices.SortStableFunc(out, func(a, b v1alpha1.IssuanceBudget) int {
		return cmp.Or(
			cmp.Compare(b.Status.Used*max(1, a.Status.Limit), a.Status.Used*max(1, b.Status.Limit)),
			cmp.Compare(subject(&a), subject(&b)), cmp.Compare(a.Spec.CA, b.Spec.CA))
	})
	return out
}

func subject(b *v1alpha1.IssuanceBudget) string {
	return cmp.Or(b.Status.Subject, b.Spec.Domain, b.Spec.Account, b.Name)
}

// Style says how to write.
type Style struct {
	// Wide shows every recent order, and the columns that few need.
	Wide  bool
	Paint terminal.Painter
	Now   time.Time
}

// Table writes one line for each budget.
func Table(w io.Writer, list []v1alpha1.IssuanceBudget, s Style) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	head := "DOMAIN\tLEFT\tOF\tLIMIT\tNEXT\tTOP CONSUMER\tCA"
	if s.Wide {
		head += "\tIN FLIGHT\tSETS"
	}
	_, _ = fmt.Fprintln(t, head)
	for i := range list {
		b := &list[i]
		row := fmt.Sprintf("%s\t%d\t%d\t%s\t%s\t%s\t%s", subject(b), left(b.Status.Used, b.Status.Limit), b.Status.Limit,
			cmp.Or(b.Status.Bucket, "-"), cmp.Or(b.Status.Next, "now"), cmp.Or(b.Status.TopConsumer, "-"), b.Spec.CA)
		if s.Wide {
			row += fmt.Sprintf("\t%d\t%d", b.Status.InFlight, b.Status.Sets)
		}
		_, _ = fmt.Fprintln(t, row)
	}
	return t.Flush()
}

func left(used, count int64) int64 { return max(0, count-used) }

// shownOrders is how many recent orders are shown where nobody asked for all.
const shownOrders = 8

// shownConsumers is how many consumers are shown.
const shownConsumers = 5

// Details writes one budget in full.
func Details(w io.Writer, b *v1alpha1.IssuanceBudget, s Style) error {
	p := &printer{w: w}
	p.printf("%s at %s\n", s.Paint.Bold(subject(b)), b.Spec.CA)
	owner(p, b)
	p.printf("\nLeft, as of the last write\n")
	p.table(func(t io.Writer) { bucketRows(t, b, s) })
	if b.Status.InFlight > 0 {
		p.printf("  %d orders were let through and are not finished: their places are held\n", b.Status.InFlight)
	}
	if ranked := Consumers(b.Status.Recent); len(ranked) > 0 {
		p.printf("\nBusiest of the last %d orders\n", len(b.Status.Recent))
		p.table(func(t io.Writer) {
			for _, c := range ranked[:min(len(ranked), shownConsumers)] {
				_, _ = fmt.Fprintf(t, "  %d\t%s\n", c.Orders, c.Name)
			}
		})
	}
	orders(p, b.Status.Recent, s)
	for _, c := range b.Status.Conditions {
		if c.Status == "False" {
			p.printf("\n%s\n", s.Paint.Yellow(c.Type+" is False: "+c.Message))
		}
	}
	return p.err
}

// owner writes what the owner has set.
func owner(p *printer, b *v1alpha1.IssuanceBudget) {
	if l := b.Spec.Limit; l != nil {
		p.printf("  granted by the CA: %d in %s (spec.limit)\n", l.Count, l.Period.Duration)
	}
	if b.Spec.Share != nil {
		p.printf("  this cluster's share: %d%% (spec.share)\n", *b.Spec.Share)
	}
	if b.Spec.Reserve != nil && *b.Spec.Reserve > 0 {
		p.printf("  kept for due renewals: %d of each bucket (spec.reserve)\n", *b.Spec.Reserve)
	}
}

func bucketRows(t io.Writer, b *v1alpha1.IssuanceBudget, s Style) {
	if len(b.Status.Fullest) == 0 {
		_, _ = fmt.Fprintf(t, "  %s\n", "nothing is used")
	}
	for _, bucket := range b.Status.Fullest {
		n := left(bucket.Used, bucket.Count)
		text := fmt.Sprintf("%d of %d", n, bucket.Count)
		next := "an order is possible now"
		if bucket.Next != "" {
			next = s.Paint.Red("next order at " + bucket.Next + until(bucket.Next, s.Now))
		}
		_, _ = fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", text, bucket.Limit, bucket.Of, next)
	}
}

// minutes is how certwire writes a time for people (pkg/policy, ToTheMinute).
const minutes = "2006-01-02 15:04 MST"

func until(text string, now time.Time) string {
	at, err := time.Parse(minutes, text)
	if err != nil || !at.After(now) {
		return ""
	}
	return ", in " + strings.TrimSuffix(at.Sub(now).Round(time.Minute).String(), "0s")
}

func orders(p *printer, recent []v1alpha1.CountedOrder, s Style) {
	if len(recent) == 0 {
		return
	}
	shown := recent
	if !s.Wide && len(shown) > shownOrders {
		shown = shown[:shownOrders]
	}
	p.printf("\nRecent orders, newest first\n")
	p.table(func(t io.Writer) {
		for _, o := range shown {
			kind := "counts"
			if o.Renewal {
				kind = "renewal"
			}
			_, _ = fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", o.Time.UTC().Format(minutes), consumer(o), kind, o.Names)
		}
	})
	if n := len(recent) - len(shown); n > 0 {
		p.printf("  and %d more: -o wide\n", n)
	}
}

// Consumer is who ordered, and how often.
type Consumer struct {
	Name   string
	Orders int
}

// Consumers ranks who made these orders, the busiest first.
func Consumers(recent []v1alpha1.CountedOrder) []Consumer {
	counts := map[string]int{}
	for _, o := range recent {
		counts[consumer(o)]++
	}
	out := make([]Consumer, 0, len(counts))
	for name, n := range counts {
		out = append(out, Consumer{name, n})
	}
	slices.SortFunc(out, func(a, b Consumer) int {
		return cmp.Or(cmp.Compare(b.Orders, a.Orders), cmp.Compare(a.Name, b.Name))
	})
	return out
}

func consumer(o v1alpha1.CountedOrder) string {
	return o.Namespace + "/" + cmp.Or(o.Certificate, "(no Certificate)")
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

func (p *printer) table(rows func(io.Writer)) {
	t := tabwriter.NewWriter(p.w, 0, 0, 3, ' ', 0)
	rows(t)
	if err := t.Flush(); p.err == nil {
		p.err = err
	}
}
