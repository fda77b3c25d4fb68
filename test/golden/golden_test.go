package golden

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSameWritesAndCompares(t *testing.T) {
	path := filepath.Join(t.TempDir(), "want.txt")
	if _, err := differs(path, ""); err == nil {
		t.Error("a file that is not there is taken for an empty one")
	}
	t.Setenv("UPDATE_GOLDEN", "true")
	Same(t, path, "as it is\n")
	t.Setenv("UPDATE_GOLDEN", "")
	Same(t, path, []byte("as it is\n"))
	if diff, err := differs(path, "something else\n"); err != nil || diff == "" {
		t.Errorf("another text is taken for the same (%v)", err)
	}
}

func TestCasesAreThoseOfThePattern(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if got := Cases(t, filepath.Join(dir, "*"), 2); len(got) != 2 || filepath.Base(got[1]) != "b" {
		t.Errorf("got %q", got)
	}
}
