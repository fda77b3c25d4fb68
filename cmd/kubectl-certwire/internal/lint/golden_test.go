package lint

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/manifest"
	"github.com/certwire/certwire/pkg/config"
	"github.com/certwire/certwire/test/golden"
)

// A case is a folder under testdata/cases: in.yaml is the input, options.yaml (optional) the flags, config.yaml (optional) the
// configuration, and want.txt what is written for people, with the exit code behind it. A folder is all it takes to add one.
// UPDATE_GOLDEN=true writes want.txt anew.

type goldenOptions struct {
	Namespace       string            `json:"namespace"`
	NamespaceLabels map[string]string `json:"namespaceLabels"`
}

// goldenNow is before the lifetimes of Let's Encrypt's certificates become shorter.
var goldenNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, dir := range golden.Cases(t, "testdata/cases/*", 10) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			onlyKnown(t, dir)
			report := checkCase(t, dir)
			var got bytes.Buffer
			if err := Write(&got, report, "human", ""); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&got, "%s; exit code %d, strict %d\n", report.Summary(), report.ExitCode(false), report.ExitCode(true))
			golden.Same(t, filepath.Join(dir, "want.txt"), got.Bytes())
		})
	}
}

func onlyKnown(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		switch e.Name() {
		case "in.yaml", "options.yaml", "config.yaml", "want.txt":
		default:
			t.Errorf("%s/%s belongs to no case", dir, e.Name())
		}
	}
}

// checkCase checks a case as the command does.
func checkCase(t *testing.T, dir string) *Report {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "in.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	objects, problems := manifest.Read("in.yaml", text)
	return Check(objects, problems, optionsOf(t, dir))
}

func optionsOf(t *testing.T, dir string) Options {
	t.Helper()
	o := goldenOptions{Namespace: "default"}
	if text, err := os.ReadFile(filepath.Join(dir, "options.yaml")); err == nil {
		if err := yaml.UnmarshalStrict(text, &o); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "config.yaml")
	if _, err := os.Stat(path); err != nil {
		path = ""
	}
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := c.Settings()
	if err != nil {
		t.Fatal(err)
	}
	if path == "" {
		settings.Agent.Image = "registry.example/agent"
	}
	return Options{Namespace: o.Namespace, NamespaceLabels: o.NamespaceLabels, Settings: settings, Now: goldenNow}
}
