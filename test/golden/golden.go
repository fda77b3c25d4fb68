// Package golden compares what comes out with files that say what should. With UPDATE_GOLDEN=true in the environment, the
// files are written anew instead.
package golden

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Cases returns the folders, or the files, that a pattern names, each of which is a case, and ends the test when there are less
// than so many: a pattern that names nothing would test nothing.
func Cases(t *testing.T, pattern string, least int) []string {
	t.Helper()
	cases, err := filepath.Glob(pattern)
	if err != nil || len(cases) < least {
		t.Fatalf("found %d golden cases at %s (%v)", len(cases), pattern, err)
	}
	return cases
}

// Same compares with one file. It reports an error when got is not what the file at path holds, or writes it there.
func Same[Text ~string | ~[]byte](t *testing.T, path string, got Text) {
	t.Helper()
	if os.Getenv("UPDATE_GOLDEN") == "true" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	switch diff, err := differs(path, string(got)); {
	case err != nil:
		t.Fatalf("%v; UPDATE_GOLDEN=true writes it", err)
	case diff != "":
		t.Errorf("%s is not what comes out; UPDATE_GOLDEN=true writes it (-want +got):\n%s", path, diff)
	}
}

func differs(path, got string) (string, error) {
	want, err := os.ReadFile(path)
	return cmp.Diff(string(want), got), err
}
