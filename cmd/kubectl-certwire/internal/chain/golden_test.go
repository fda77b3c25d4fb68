package chain

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/certwire/certwire/test/golden"
)

// A case is a folder under testdata: in.yaml holds the facts, and want.txt what is written for people, and the exit code. A
// folder is all it takes to add one. UPDATE_GOLDEN=true writes want.txt anew.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, dir := range golden.Cases(t, "testdata/*", 10) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join(dir, "in.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			var facts Facts
			if err := yaml.UnmarshalStrict(text, &facts); err != nil {
				t.Fatal(err)
			}
			tree := Assemble(facts)
			var got bytes.Buffer
			if err := Write(&got, tree, Style{}); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&got, "exit code %d\n", tree.ExitCode())
			golden.Same(t, filepath.Join(dir, "want.txt"), got.String())
		})
	}
}
