package binaries

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFolderDiffersWithEveryInput(t *testing.T) {
	t.Parallel()
	base := func() versions {
		return versions{
			kubernetes: "v1.37.2", etcd: "v3.7.3",
			toolchain: "go1.26.8 linux/amd64", pins: []byte("module x\n"),
		}
	}
	if got := base().folder(); !strings.HasPrefix(got, "kubernetes-v1.37.2_etcd-v3.7.3_") || got != base().folder() {
		t.Errorf("the folder is %q, want one that can be read and is always the same", got)
	}
	tests := map[string]func(*versions){
		"another Kubernetes":               func(v *versions) { v.kubernetes = "v1.37.3" },
		"another etcd":                     func(v *versions) { v.etcd = "v3.7.4" },
		"another Go":                       func(v *versions) { v.toolchain = "go1.26.9 linux/amd64" },
		"another pin of some dependency":   func(v *versions) { v.pins = []byte("module y\n") },
		"a byte that changes its place":    func(v *versions) { v.toolchain += "m"; v.pins = v.pins[1:] },
		"another architecture to run on":   func(v *versions) { v.toolchain = "go1.26.8 linux/arm64" },
		"a dependency that has been added": func(v *versions) { v.pins = append(v.pins, "require z v1\n"...) },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := base()
			change(&changed)
			if changed.folder() == base().folder() {
				t.Errorf("%s has the same folder", name)
			}
		})
	}
}

func TestLinkerArguments(t *testing.T) {
	t.Parallel()
	got := versions{kubernetes: "v1.37.2"}.ldflags()
	for _, want := range []string{"version.gitVersion=v1.37.2", "version.gitMajor=1", "version.gitMinor=37"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %s", got, want)
		}
	}
}

func TestPinnedVersionsAreRead(t *testing.T) {
	t.Parallel()
	module, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	found, err := FindModule(filepath.Join(module, "internal", "binaries"))
	if err != nil || found != module {
		t.Fatalf("the module was found at %q, %v; want %q", found, err, module)
	}
	v, err := readVersions(t.Context(), module)
	if err != nil {
		t.Fatal(err)
	}
	gomod, err := os.ReadFile(filepath.Join(module, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{kubernetesModule + " " + v.kubernetes, etcdModule + " " + v.etcd} {
		if !strings.Contains(string(gomod), want) {
			t.Errorf("go.mod does not say %q", want)
		}
	}
}

func TestFindModuleElsewhere(t *testing.T) {
	t.Parallel()
	_, err := FindModule(t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "go -C test/cluster run .") {
		t.Errorf("got %v, want a message that says how to run it", err)
	}
}
