package debian

import (
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

func TestMissing(t *testing.T) {
	t.Parallel()
	got := missing([]Package{
		{Name: "in-path", Provides: "go"},
		{Name: "not-in-path", Provides: "certwire-has-no-such-program"},
		{Name: "file", Provides: "/proc/self/status"},
		{Name: "no-file", Provides: "/proc/self/no-such-file"},
	})
	if want := []string{"not-in-path", "no-file"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEnsureLeavesTheMachineAloneIfNothingIsMissing(t *testing.T) {
	t.Parallel()
	lock := filepath.Join(t.TempDir(), "lock")
	if err := Ensure(t.Context(), []Package{{Name: "golang", Provides: "go"}}, lock, log.New(t.Output(), "", 0)); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(lock); len(left) > 0 {
		t.Error("it waited for its turn")
	}
}

func TestServicesAreForbiddenForAsLongAsTheWorkTakes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "policy-rc.d")
	err := withoutServices(path, func() error {
		// Not run itself: the kernel refuses a file that another process of a parallel test may still hold open.
		if code := exec.CommandContext(t.Context(), "sh", path, "containerd", "start").Run(); code == nil || code.Error() != "exit status 101" {
			t.Errorf("the policy answers %v, want exit status 101", code)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the policy is still there")
	}
}

func TestAPolicyOfTheMachineStays(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "policy-rc.d")
	if err := os.WriteFile(path, []byte("the machine's"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := withoutServices(path, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != "the machine's" {
		t.Errorf("it is now %q, %v", content, err)
	}
}
