package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certwire/certwire/test/harness"
)

const (
	begin = "<!-- what make demo prints: make generate writes this part -->\n```console\n"
	end   = "```\n<!-- the end of what make demo prints -->"
)

var (
	clocks = regexp.MustCompile(`\d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC`)
	ports  = regexp.MustCompile(`localhost:\d+`)
	names  = regexp.MustCompile(`localhost-\d+-[0-9a-f]{16}`)
	gaps   = regexp.MustCompile(`every \S+ on average`)
	ages   = regexp.MustCompile(`(?m) \d+[sm]\d*s?$`)
	// What stands in a table moves with the width of what is different each time.
	lags    = regexp.MustCompile(`(?m)(\d/\d) +[\d.]+m?s$`)
	serials = regexp.MustCompile(`\b[0-9a-f]{13,40}\b`)
	pods    = regexp.MustCompile(`\bserver-[0-9a-z]{6,10}-[0-9a-z]{5}\b`)
	columns = regexp.MustCompile(`  +`)
)

// timeless takes out what is different each time: times, ports, ages and names made of them.
func timeless(s string) string {
	s = clocks.ReplaceAllString(s, "TIME")
	s = ports.ReplaceAllString(s, "localhost:PORT")
	s = names.ReplaceAllString(s, "localhost-PORT-HASH")
	s = gaps.ReplaceAllString(s, "every GAP on average")
	s = lags.ReplaceAllString(s, "$1 LAG")
	s = serials.ReplaceAllString(s, "SERIAL")
	s = pods.ReplaceAllString(s, "POD")
	s = ages.ReplaceAllString(s, " AGE")
	return columns.ReplaceAllString(s, "  ")
}

// TestReadmeShowsWhatTheDemoPrints plays the demo and compares it with the README. UPDATE_GOLDEN=true writes it there.
func TestReadmeShowsWhatTheDemoPrints(t *testing.T) {
	// A file, since several processes write to it.
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	logged := func() string {
		text, err := os.ReadFile(log.Name())
		if err != nil {
			return err.Error()
		}
		return string(text[max(0, len(text)-30_000):])
	}
	var out bytes.Buffer
	cluster, node, err := start(t.Context(), log, t.TempDir())
	if err != nil {
		t.Fatalf("%v\n%s", err, logged())
	}
	defer cluster.Stop()
	certwire, err := install(t.Context(), cluster, log, &out)
	if certwire != nil {
		defer certwire.Stop(made...)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, logged())
	}
	certManager, err := perform(t.Context(), cluster, certwire, node, log, &out)
	defer certManager.Stop()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out.String(), logged())
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
	if !node {
		want, _, _ = strings.Cut(want, "# "+inPods[0].sentence)
		want = strings.TrimSpace(want) + "\n"
	}
	if diff := cmp.Diff(timeless(want), timeless(got)); diff != "" {
		t.Errorf("the README's transcript is not what the demo prints (make generate writes it):\n%s", diff)
	}
}
