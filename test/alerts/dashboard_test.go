package alerts

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

type panel struct {
	ID      int    `json:"id"`
	Type    string `json:"type"`
	Title   string `json:"title"`
	Targets []struct {
		Expr   string `json:"expr"`
		Legend string `json:"legendFormat"`
	} `json:"targets"`
	Grid struct {
		X int `json:"x"`
		Y int `json:"y"`
		W int `json:"w"`
		H int `json:"h"`
	} `json:"gridPos"`
}

func panels(t *testing.T) []panel {
	t.Helper()
	text, err := os.ReadFile(file("manifests", "components", "dashboard", "certwire.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []panel `json:"panels"`
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	return dashboard.Panels
}

// TestTheDashboardAsksForWhatThereIs reads every query of the dashboard: its metrics exist, and promtool, to which each is
// given as a rule, can read it.
func TestTheDashboardAsksForWhatThereIs(t *testing.T) {
	t.Parallel()
	known := metrics(t)
	seen := map[int]bool{}
	rules := "groups:\n- name: dashboard\n  rules:\n"
	for _, p := range panels(t) {
		if seen[p.ID] || p.Title == "" || (p.Type != "row" && len(p.Targets) == 0) {
			t.Errorf("panel %d %q: an id twice, no title, or nothing to show", p.ID, p.Title)
		}
		seen[p.ID] = true
		for _, target := range p.Targets {
			exist(t, p.Title, target.Expr, known)
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

func TestNoPanelLiesOverAnother(t *testing.T) {
	t.Parallel()
	taken := map[[2]int]string{}
	for _, p := range panels(t) {
		for x := p.Grid.X; x < p.Grid.X+p.Grid.W; x++ {
			for y := p.Grid.Y; y < p.Grid.Y+p.Grid.H; y++ {
				if other, is := taken[[2]int{x, y}]; is || x >= 24 {
					t.Fatalf("panel %q lies at %d, %d, where %q is, or beyond the edge", p.Title, x, y, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}
