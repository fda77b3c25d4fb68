package servers

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestMerged(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"./bin/sh":                "usr/bin/sh",
		"/lib64/ld.so":            "usr/lib64/ld.so",
		"./lib":                   "usr/lib",
		"./library/a":             "library/a",
		"./usr/lib/a":             "usr/lib/a",
		"/usr/lib/x/../../bin/sh": "usr/bin/sh",
		"../../etc/passwd":        "etc/passwd",
	} {
		if got := merged(name); got != want {
			t.Errorf("%s becomes %s, want %s", name, got, want)
		}
	}
}

func TestPick(t *testing.T) {
	t.Parallel()
	var archive bytes.Buffer
	out := tar.NewWriter(&archive)
	for _, h := range []tar.Header{
		{Name: "./bin/", Typeflag: tar.TypeDir},
		{Name: "./bin/server", Typeflag: tar.TypeSymlink, Linkname: "/bin/check"},
		{Name: "./usr/bin/check", Typeflag: tar.TypeReg, Mode: 0o4755},
		{Name: "./usr/bin/other", Typeflag: tar.TypeReg, Mode: 0o755},
		{Name: "./usr/share/server/15/a", Typeflag: tar.TypeReg, Mode: 0o600},
		{Name: "./usr/share/server/15/gone", Typeflag: tar.TypeSymlink, Linkname: "../../nowhere"},
	} {
		if err := out.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	all := &tree{root: t.TempDir()}
	if err := all.read(tar.NewReader(&archive)); err != nil {
		t.Fatal(err)
	}
	p := &picker{from: all, to: t.TempDir(), done: map[string]bool{}}
	for _, pattern := range []string{"usr/bin/server", "usr/share/server/*"} {
		if err := p.match(pattern); err != nil {
			t.Error(err)
		}
	}
	if err := p.match("usr/bin/none"); err == nil {
		t.Error("what no package has is no error")
	}
	for name, want := range map[string]os.FileMode{
		"usr/bin/server": 0o777 | os.ModeSymlink, "usr/bin/check": 0o755,
		"usr/share/server/15/a": 0o644, "usr/share/server/15/gone": 0o777 | os.ModeSymlink,
	} {
		if info, err := os.Lstat(filepath.Join(p.to, name)); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(p.to, "usr/bin/other")); err == nil {
		t.Error("what nobody wants was taken")
	}
}
