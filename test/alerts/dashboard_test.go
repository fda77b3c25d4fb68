package alerts

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTheDashboardAsksForWhatThereIs reads every query of the dashboard: its metrics exist, and promtool, to which each is
// given as a rule, can read it.
func TestTheDashboardAsksForWhatThereIs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(file("manifests", "components", "dashboard", "certwire.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			ID      int    `json:"id"`
			Type    string `json:"type"`
			Title   string `json:"title"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	known := metrics(t)
	seen := map[int]bool{}
	rules := "groups:\n- name: dashboard\n  rules:\n"
	for _, p := range dashboard.Panels {
		if seen[p.ID] || p.Title == "" || (p.Type != "row" && len(p.Targets) == 0) {
			t.Errorf("panel %d %q: an id twice, no title, or nothing to show", p.ID, p.Title)
		}
		seen[p.ID] = true
		for _, target := range p.Targets {
			for _, name := range metric.FindAllString(target.Expr, -1) {
				if !slices.Contains(known, strings.TrimSuffix(name, "_bucket")) {
					t.Errorf("%s asks for %s, which nobody makes", p.Title, name)
				}
			}
			quoted, err := json.Marshal(target.Expr)
			if err != nil {
				t.Fatal(err)
			}
			rules += "  - {record: a, expr: " + string(quoted) + "}\n"
		}
	}
	if len(seen) < 10 {
		t.Errorf("the dashboard has %d panels", len(seen))
	}
	path := filepath.Join(t.TempDir(), "dashboard.rules.yaml")
	if err := os.WriteFile(path, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := command(t, promtool(t), "check", "rules", "--lint=none", path); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
