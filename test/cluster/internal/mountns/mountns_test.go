package mountns_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/certwire/certwire/test/cluster/internal/mountns"
)

func TestHidden(t *testing.T) {
	t.Parallel()
	over := t.TempDir()
	below, beside := filepath.Join(over, "below"), over+"-beside"
	for _, dir := range []string{below, beside} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(below, link); err != nil {
		t.Fatal(err)
	}
	binds := []mountns.Bind{{From: "/", Over: over}}
	for path, hidden := range map[string]bool{over: true, below: true, link: true, beside: false, filepath.Dir(over): false} {
		if err := mountns.Hidden(binds, path); (err != nil) != hidden {
			t.Errorf("%s: got %v, want hidden to be %t", path, err, hidden)
		}
	}
}

func TestMountsAreSeenFromTheThreadAlone(t *testing.T) {
	t.Parallel()
	if err := mountns.Available(); err != nil {
		t.Skipf("this user may not mount: %v", err)
	}
	from, over := t.TempDir(), t.TempDir()
	inside := filepath.Join(over, "file")
	if err := os.WriteFile(filepath.Join(from, "file"), []byte("there"), 0o600); err != nil {
		t.Fatal(err)
	}
	thread, err := mountns.Enter([]mountns.Bind{{From: from, Over: over}})
	if err != nil {
		t.Fatal(err)
	}
	err = thread.Do(func() error {
		_, err := os.Stat(inside)
		return err
	})
	if err != nil {
		t.Errorf("the thread does not see its mount: %v", err)
	}
	if _, err := os.Stat(inside); err == nil {
		t.Error("the mount is seen outside")
	}
}
