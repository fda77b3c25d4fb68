package image_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certwire/certwire/test/cluster/internal/image"
)

const name = "certwire.test/thing:test"

func TestAProgramBecomesTheEntryPoint(t *testing.T) {
	t.Parallel()
	program := build(t)

	archive := write(t, program)

	config := checkArchive(t, archive)
	if config.User != image.DefaultUser {
		t.Errorf("the user is %q, want %q", config.User, image.DefaultUser)
	}
	if len(config.Entrypoint) != 1 || config.Entrypoint[0] != "/program" {
		t.Errorf("the entry point is %q, want /program", config.Entrypoint)
	}
	if again := write(t, program); !bytes.Equal(archive, again) {
		t.Error("the same program made another archive")
	}
}

func TestAFolderBecomesTheRootFileSystem(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(root, "etc/app"), 0o755))
	must(t, os.WriteFile(filepath.Join(root, "etc/app/setting"), []byte("on"), 0o640))
	must(t, os.Symlink("app/setting", filepath.Join(root, "etc/link")))
	must(t, os.Mkdir(filepath.Join(root, "tmp"), 0o755))
	must(t, os.Chmod(filepath.Join(root, "tmp"), 0o777|os.ModeSticky))

	archive := write(t, root)

	if config := checkArchive(t, archive); len(config.Entrypoint) != 0 {
		t.Errorf("the entry point is %q, want none", config.Entrypoint)
	}
	got := map[string]string{}
	for _, file := range entries(t, layer(t, archive)) {
		got[file.Name] = file.FileInfo().Mode().String() + " " + file.Linkname + file.content
		if file.Uid != 0 || file.Gid != 0 {
			t.Errorf("%s belongs to %d:%d, want root", file.Name, file.Uid, file.Gid)
		}
	}
	for path, want := range map[string]string{
		"etc/": "drwxr-xr-x ", "etc/app/": "drwxr-xr-x ", "etc/app/setting": "-rw-r----- on",
		"etc/link": "Lrwxrwxrwx app/setting", "tmp/": "dtrwxrwxrwx ",
	} {
		if got[path] != want {
			t.Errorf("%s is %q, want %q", path, got[path], want)
		}
	}
	if len(got) != 5 {
		t.Errorf("the layer has %d entries, want 5: %v", len(got), got)
	}
}

func TestWhatCannotRunIsRefused(t *testing.T) {
	t.Parallel()
	text := filepath.Join(t.TempDir(), "text")
	must(t, os.WriteFile(text, []byte("#!/bin/sh\n"), 0o755))
	tests := map[string]struct{ source, says string }{
		"a script needs an interpreter that is not there": {text, "neither a folder"},
		"what is missing is named":                        {text + "-missing", "-missing"},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			err := image.Write(io.Discard, image.Image{Name: name, Source: test.source}, t.TempDir())
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want an error that says %q", err, test.says)
			}
		})
	}
}

func TestIsArchive(t *testing.T) {
	t.Parallel()
	program := build(t)
	archive := filepath.Join(t.TempDir(), "image.tar")
	must(t, os.WriteFile(archive, write(t, program), 0o600))
	empty := filepath.Join(t.TempDir(), "empty")
	must(t, os.WriteFile(empty, nil, 0o600))
	for path, want := range map[string]bool{archive: true, program: false, empty: false, t.TempDir(): false} {
		if got, err := image.IsArchive(path); err != nil || got != want {
			t.Errorf("%s: got %t, %v, want %t", path, got, err, want)
		}
	}
	if _, err := image.IsArchive(archive + "-missing"); err == nil {
		t.Error("a file that is missing was looked at")
	}
}

// execution is what the tests look at of an image's configuration.
type execution struct {
	User       string
	Entrypoint []string
}

// checkArchive follows the names from the manifest on, checks that every digest is
// right, and returns the configuration.
func checkArchive(t *testing.T, archive []byte) execution {
	t.Helper()
	files := map[string]string{}
	for _, file := range entries(t, archive) {
		files[file.Name] = file.content
	}
	var manifest []struct {
		Config           string
		RepoTags, Layers []string
	}
	must(t, json.Unmarshal([]byte(files["manifest.json"]), &manifest))
	if len(manifest) != 1 || len(manifest[0].Layers) != 1 || strings.Join(manifest[0].RepoTags, " ") != name {
		t.Fatalf("unexpected manifest: %+v", manifest)
	}
	config := files[manifest[0].Config]
	if want := digest(config) + ".json"; manifest[0].Config != want {
		t.Errorf("the configuration is called %s, want %s", manifest[0].Config, want)
	}
	var parsed struct {
		Config execution
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	must(t, json.Unmarshal([]byte(config), &parsed))
	want := "sha256:" + digest(files[manifest[0].Layers[0]])
	if len(parsed.RootFS.DiffIDs) != 1 || parsed.RootFS.DiffIDs[0] != want {
		t.Errorf("the layer's digest is %q, want %q", parsed.RootFS.DiffIDs, want)
	}
	return parsed.Config
}

// layer returns the only layer.
func layer(t *testing.T, archive []byte) []byte {
	t.Helper()
	for _, file := range entries(t, archive) {
		if strings.HasSuffix(file.Name, ".tar") {
			return []byte(file.content)
		}
	}
	t.Fatal("the archive has no layer")
	return nil
}

type entry struct {
	*tar.Header
	content string
}

func entries(t *testing.T, archive []byte) []entry {
	t.Helper()
	var all []entry
	reader := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		must(t, err)
		content, err := io.ReadAll(reader)
		must(t, err)
		all = append(all, entry{h, string(content)})
	}
}

func write(t *testing.T, source string) []byte {
	t.Helper()
	scratch := t.TempDir()
	var out bytes.Buffer
	must(t, image.Write(&out, image.Image{Name: name, Source: source}, scratch))
	left, err := os.ReadDir(scratch)
	must(t, err)
	if len(left) > 0 {
		t.Errorf("the scratch folder still has %v", left)
	}
	return out.Bytes()
}

// build makes a static program.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() {}\n"), 0o600))
	cmd := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-s -w", "-o", "program", "main.go")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building a program: %v: %s", err, out)
	}
	return filepath.Join(dir, "program")
}

func digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
