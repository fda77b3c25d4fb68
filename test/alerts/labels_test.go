package alerts

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/certwire/certwire/pkg/delivery"
)

var (
	described = regexp.MustCompile(`fqName: "([^"]*)".*variableLabels: \{([^}]*)\}`)
	selector  = regexp.MustCompile(`(certwire_[a-z_]+)\{([^}]*)\}`)
	matcher   = regexp.MustCompile(`([a-z_]+)(?:=|!=|=~|!~)"([^"]*)"`)
	literal   = regexp.MustCompile(`"([a-zA-Z0-9-]+)"`)
	legend    = regexp.MustCompile(`\{\{([a-z_]+)\}\}`)
)

// collected are the metrics of deliveries with their labels, as the collector itself describes them.
func collected(t *testing.T) map[string][]string {
	t.Helper()
	descriptions := make(chan *prometheus.Desc, 100)
	(&delivery.Controller{}).Describe(descriptions)
	close(descriptions)
	out := map[string][]string{}
	for d := range descriptions {
		m := described.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("no name or labels in %s", d)
		}
		out[m[1]] = strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' || r == ' ' })
	}
	return out
}

// literals are the words that the code of who makes metrics has in quotes.
func literals(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, folder := range []string{filepath.Join("cmd", "webhook"), filepath.Join("cmd", "agent"), "pkg"} {
		err := filepath.WalkDir(file(folder), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range literal.FindAllStringSubmatch(string(text), -1) {
				out[m[1]] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// queries are those of the rules and of the dashboard, by who asks.
func queries(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, g := range rules(t) {
		for _, r := range g.Rules {
			out[r.Alert+r.Record] = append(out[r.Alert+r.Record], r.Expr)
		}
	}
	for _, p := range panels(t) {
		for _, target := range p.Targets {
			out[p.Title] = append(out[p.Title], target.Expr)
		}
	}
	return out
}

// TestEveryValueThatIsAskedForExists reads the selectors of certwire's own metrics. A state or a cause that the code does
// not know is an alert that never fires.
func TestEveryValueThatIsAskedForExists(t *testing.T) {
	t.Parallel()
	labels, words := collected(t), literals(t)
	seen := 0
	for who, list := range queries(t) {
		for _, s := range selector.FindAllStringSubmatch(strings.Join(list, "\n"), -1) {
			for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
				if known, is := labels[s[1]]; is && !slices.Contains(known, m[1]) {
					t.Errorf("%s: %s has no label %s", who, s[1], m[1])
				}
				if m[1] == "le" {
					continue
				}
				for value := range strings.SplitSeq(m[2], "|") {
					seen++
					if !words[value] {
						t.Errorf("%s: no code knows %s=%q", who, m[1], value)
					}
				}
			}
		}
	}
	if seen < 20 {
		t.Errorf("%d values were looked at", seen)
	}
}

// TestEveryMetricOfADeliveryIsOnTheDashboardAndInItsPage keeps what is measured from being forgotten.
func TestEveryMetricOfADeliveryIsOnTheDashboardAndInItsPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(file("docs", "delivery.md"))
	if err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	for _, p := range panels(t) {
		for _, target := range p.Targets {
			shown.WriteString(target.Expr + "\n")
		}
	}
	for name, labels := range collected(t) {
		spelled := name
		if len(labels) > 0 {
			spelled += "{" + strings.Join(labels, ",") + "}"
		}
		if !strings.Contains(string(page), "`"+spelled+"`") {
			t.Errorf("docs/delivery.md does not have %s", spelled)
		}
		if !strings.Contains(shown.String(), name) && name != "certwire_delivery_oldest_lifetime_seconds" { // only beside the end
			t.Errorf("the dashboard does not have %s", name)
		}
	}
}

// TestLegendsNameLabels finds those that would be empty.
func TestLegendsNameLabels(t *testing.T) {
	t.Parallel()
	for _, p := range panels(t) {
		for _, target := range p.Targets {
			for _, m := range legend.FindAllStringSubmatch(target.Legend, -1) {
				by := regexp.MustCompile(`by \(([^)]*)\)`).FindStringSubmatch(target.Expr)
				if by != nil && !slices.Contains(strings.FieldsFunc(by[1], func(r rune) bool { return r == ',' || r == ' ' }), m[1]) {
					t.Errorf("%s: the legend names %s, and the query does not keep it", p.Title, m[1])
				}
			}
		}
	}
}
