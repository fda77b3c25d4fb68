package policy

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRulesPage keeps docs/rules.md equal to what the headers of the rule files say. UPDATE_GOLDEN=true writes it.
func TestRulesPage(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("rule_*.go")
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	page.WriteString("# Rules\n\nEvery rule of certwire's guard, one section each. This page is made from the headers of `pkg/policy/rule_*.go`\n" +
		"(`make generate`); [configuration.md](configuration.md) says how modes are set.\n")
	rules := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		head, rest, ok := strings.Cut(f.Comments[0].Text(), "\n")
		rule, title, okTitle := strings.Cut(strings.TrimPrefix(head, "Rule "), ": ")
		if !ok || !okTitle {
			t.Fatalf("%s does not begin with \"Rule name: sentence\": %q", name, head)
		}
		rules++
		page.WriteString("\n## " + rule + "\n\n**" + strings.ToUpper(title[:1]) + title[1:] + "**\n\n" + strings.TrimSpace(rest) + "\n")
	}
	if rules != len(Rules()) {
		t.Errorf("%d rule files for %d rules", rules, len(Rules()))
	}
	path := filepath.Join("..", "..", "docs", "rules.md")
	if os.Getenv("UPDATE_GOLDEN") == "true" {
		if err := os.WriteFile(path, []byte(page.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != page.String() {
		t.Errorf("%s is not what the rules' headers say: run make generate", path)
	}
}
