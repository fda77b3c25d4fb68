package pki

import (
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
)

// Mount is a Secret volume as the kubelet writes it (kubernetes pkg/volume/util/atomic_writer.go): the files are links
// into ..data, which is itself a link to a directory with the data, and an update renames a new link over ..data.
type Mount struct {
	Dir string

	generation atomic.Int64
}

// NewMount makes an empty volume; nothing is in it before the first Write, as with an optional Secret.
func NewMount(t testing.TB) *Mount {
	t.Helper()
	return &Mount{Dir: t.TempDir()}
}

// Write replaces the volume's files in one step. A new name of a data directory is used each time, as the writer uses
// the time.
func (m *Mount) Write(t testing.TB, files map[string][]byte) {
	t.Helper()
	data := "..2026_01_02_15_04_05." + strconv.FormatInt(m.generation.Add(1), 10)
	must(t, os.Mkdir(filepath.Join(m.Dir, data), 0o755))
	for name, content := range files {
		must(t, os.WriteFile(filepath.Join(m.Dir, data, name), content, 0o644))
	}
	old, _ := os.Readlink(filepath.Join(m.Dir, "..data"))
	must(t, os.Symlink(data, filepath.Join(m.Dir, "..data_tmp")))
	must(t, os.Rename(filepath.Join(m.Dir, "..data_tmp"), filepath.Join(m.Dir, "..data")))
	for name := range files {
		if _, err := os.Lstat(filepath.Join(m.Dir, name)); err != nil {
			must(t, os.Symlink(filepath.Join("..data", name), filepath.Join(m.Dir, name)))
		}
	}
	if old != "" {
		must(t, os.RemoveAll(filepath.Join(m.Dir, old)))
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
