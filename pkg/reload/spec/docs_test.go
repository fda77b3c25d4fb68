package spec_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/certwire/certwire/pkg/reload/spec"
)

// section is one preset of docs/agent.md, with its first example.
var section = regexp.MustCompile("(?s)\n### ([a-z]+)\n(.*?)\n```yaml\n(.*?)\n```\n")

// TestEveryPresetHasAnExampleThatIsRight reads the documentation as a user does: what it says to write has to be
// understood, and to come to the methods that its text promises.
func TestEveryPresetHasAnExampleThatIsRight(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/agent.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, m := range section.FindAllStringSubmatch(string(text), -1) {
		name, prose := m[1], m[2]
		found[name] = true
		var example struct{ Annotations, Labels map[string]string }
		if err := yaml.UnmarshalStrict([]byte(m[3]), &example); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if example.Annotations[spec.PresetKey] != name {
			t.Errorf("%s: the example is for %q", name, example.Annotations[spec.PresetKey])
		}
		s, err := spec.Parse(spec.FromAnnotations(example.Annotations))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(prose, "https://") {
			t.Errorf("%s: no source is named", name)
		}
		if selfish := len(s.Methods) == 1 && s.Methods[0] == spec.Self; selfish != (example.Labels["certwire.dev/reload"] == "sidecar") {
			t.Errorf("%s: methods %v with the labels %v", name, s.Methods, example.Labels)
		}
	}
	for _, p := range spec.Presets() {
		if !found[p.Name] {
			t.Errorf("docs/agent.md has no example for %s", p.Name)
		}
	}
}

func TestTheDocumentationNamesEveryMethod(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/agent.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range spec.Methods() {
		if !strings.Contains(string(text), "\n| `"+string(m)+"` |") {
			t.Errorf("the table of methods lacks %s", m)
		}
	}
}
