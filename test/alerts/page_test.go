package alerts

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestThePageListsAllAlerts holds docs/alerts.md to the rules: every alert with its severity, its time and its place, in the
// order of the file.
func TestThePageListsAllAlerts(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(file("docs", "alerts.md"))
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for i, g := range rules(t) {
		for j, r := range g.Rules {
			switch {
			case r.Alert != "":
				want = append(want, fmt.Sprintf("[%s](runbooks/%s.md) %s %s %d/%d", r.Alert, r.Alert, r.Labels["severity"], r.For, i, j))
			case !strings.Contains(string(text), "| `"+r.Record+"` |"):
				t.Errorf("the page does not have %s", r.Record)
			}
		}
	}
	row := regexp.MustCompile(`(?m)^\| (\[Cert\w+\]\([^)]*\)) \| (\w+) \| [^|]+ \| (\w+) \| (\d+/\d+) \|$`)
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		got = append(got, strings.Join(m[1:], " "))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/alerts.md and the rules differ:\n%s", diff)
	}
}

// TestThePlacesInThePagesPatchAreRight reads the example of the page: its test and what follows it are of one rule.
func TestThePlacesInThePagesPatchAreRight(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(file("docs", "alerts.md"))
	if err != nil {
		t.Fatal(err)
	}
	groups := rules(t)
	seen := 0
	for _, m := range regexp.MustCompile(`op: test, path: /spec/groups/(\d+)/rules/(\d+)/alert, value: (\w+)`).FindAllStringSubmatch(string(text), -1) {
		var i, j int
		if _, err := fmt.Sscan(m[1], &i); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscan(m[2], &j); err != nil {
			t.Fatal(err)
		}
		if i >= len(groups) || j >= len(groups[i].Rules) || groups[i].Rules[j].Alert != m[3] {
			t.Errorf("%s is not at %d/%d", m[3], i, j)
		}
		for _, path := range regexp.MustCompile(`op: (?:replace|remove), path: /spec/groups/(\d+/rules/\d+)`).FindAllStringSubmatch(string(text), -1) {
			if path[1] != m[1]+"/rules/"+m[2] {
				t.Errorf("it tests %s/rules/%s and changes %s", m[1], m[2], path[1])
			}
		}
		seen++
	}
	if seen != 1 {
		t.Errorf("%d examples", seen)
	}
}
