package diagnose

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The table of causes in docs/issuance.md stands between these.
const (
	tableBegins = "<!-- causes: made from pkg/diagnose/causes.go by make generate -->\n"
	tableEnds   = "<!-- end of causes -->\n"
)

// TestIssuancePage keeps the table of docs/issuance.md equal to causes.go. UPDATE_GOLDEN=true writes it.
func TestIssuancePage(t *testing.T) {
	t.Parallel()
	var table strings.Builder
	table.WriteString("\n| cause | meaning | what helps | tried again | told after |\n|---|---|---|---|---|\n")
	for _, c := range Causes() {
		after := "at once"
		if c.Grace > 0 {
			after = strings.NewReplacer("m0s", "m").Replace(c.Grace.Truncate(time.Second).String())
		}
		for _, text := range []string{c.Meaning, c.Helps, c.Retried} {
			if text == "" || strings.ContainsAny(text, "|\n") || strings.HasSuffix(text, ".") {
				t.Errorf("%s: not fit for a table: %q", c.Cause, text)
			}
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s | %s |\n", c.Cause, c.Meaning, c.Helps, c.Retried, after)
	}
	table.WriteString("\n")
	path := filepath.Join("..", "..", "docs", "issuance.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), tableBegins)
	is, after, okEnd := strings.Cut(rest, tableEnds)
	if !ok || !okEnd {
		t.Fatalf("%s has no place for the table", path)
	}
	if os.Getenv("UPDATE_GOLDEN") == "true" {
		must(t, os.WriteFile(path, []byte(before+tableBegins+table.String()+tableEnds+after), 0o600))
		return
	}
	if is != table.String() {
		t.Errorf("the table of %s is not what causes.go says: run make generate", path)
	}
}
