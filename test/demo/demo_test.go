package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certwire/certwire/test/harness"
)

const (
	begin = "<!-- what make demo prints: make generate writes this part -->\n```console\n"
	end   = "```\n<!-- the end of what make demo prints -->"
)

// TestReadmeShowsWhatTheDemoPrints plays the demo and compares it with the README. UPDATE_GOLDEN=true writes it there.
func TestReadmeShowsWhatTheDemoPrints(t *testing.T) {
	var log, out bytes.Buffer
	cluster, err := harness.Start(t.Context(), &log)
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	defer cluster.Stop()
	certwire, err := install(t.Context(), cluster, &log, &out)
	if certwire != nil {
		defer certwire.Stop(made...)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	if err := play(t.Context(), cluster, &out, story); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out.String(), log.String())
	}
	got := strings.TrimSpace(out.String()) + "\n"

	path := filepath.Join(harness.Root(), "README.md")
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(readme), begin)
	want, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("the README has no place for the transcript")
	}
	if os.Getenv("UPDATE_GOLDEN") == "true" {
		if err := os.WriteFile(path, []byte(before+begin+got+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the README's transcript is not what the demo prints (make generate writes it):\n%s", diff)
	}
}
