package binaries

import (
	"bytes"
	"context"
	"errors"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var twoPrograms = []Program{{"one", "example.com/one"}, {"two", "example.com/two"}}

// compiler stands in for the go command.
type compiler struct {
	mu    sync.Mutex
	built []string
	err   error
}

func (c *compiler) compile(_ context.Context, pkg, into, _ string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.built = append(c.built, pkg)
	if err := os.WriteFile(into, []byte(pkg), 0o755); err != nil {
		return err
	}
	return c.err
}

func newCache(t *testing.T, root string, c *compiler) *Cache {
	t.Helper()
	return &Cache{
		versions:    versions{kubernetes: "v1.37.2", etcd: "v3.7.3", toolchain: "go1.26.8 linux/amd64"},
		root:        root,
		log:         log.New(t.Output(), "", 0),
		compile:     c.compile,
		reportEvery: time.Hour,
	}
}

func TestBuildOnlyWhatIsMissing(t *testing.T) {
	t.Parallel()
	root, c := t.TempDir(), &compiler{}
	for range 2 {
		if err := newCache(t, root, c).Build(t.Context(), twoPrograms[:1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := newCache(t, root, c).Build(t.Context(), twoPrograms); err != nil {
		t.Fatal(err)
	}
	if want := []string{"example.com/one", "example.com/two"}; !slices.Equal(c.built, want) {
		t.Errorf("built %q, want each once: %q", c.built, want)
	}
}

func TestFailedBuildLeavesNothing(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	failing := &compiler{err: errors.New("no space left")}
	cache := newCache(t, root, failing)
	err := cache.Build(t.Context(), twoPrograms)
	if !errors.Is(err, failing.err) || !strings.Contains(err.Error(), "building one") {
		t.Fatalf("got %v", err)
	}
	for _, folder := range []string{cache.Bin(), partialFolder(cache)} {
		if entries, err := os.ReadDir(folder); len(entries) > 0 {
			t.Errorf("a failed build left %v in %s (%v)", entries, folder, err)
		}
	}
}

func TestPartialBuildIsNotUsed(t *testing.T) {
	t.Parallel()
	cache := newCache(t, t.TempDir(), &compiler{})
	if err := os.MkdirAll(partialFolder(cache), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(partialFolder(cache), "one"), []byte("half"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := cache.Build(t.Context(), twoPrograms[:1]); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(cache.Bin(), "one"))
	if err != nil || string(content) != "example.com/one" {
		t.Errorf("the program holds %q, %v", content, err)
	}
	if _, err := os.Stat(partialFolder(cache)); err == nil {
		t.Error("the rest of an earlier build is still there")
	}
}

func partialFolder(c *Cache) string {
	return filepath.Join(filepath.Dir(c.Bin()), "partial")
}

func TestBuildsAtOnceBuildOnce(t *testing.T) {
	t.Parallel()
	root, c := t.TempDir(), &compiler{}
	var builds sync.WaitGroup
	for range 4 {
		cache := newCache(t, root, c)
		builds.Go(func() {
			if err := cache.Build(t.Context(), twoPrograms); err != nil {
				t.Error(err)
			}
		})
	}
	builds.Wait()
	if len(c.built) != len(twoPrograms) {
		t.Errorf("built %q, want each once", c.built)
	}
}

func TestProgressIsReported(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	reported := make(chan struct{})
	cache := newCache(t, t.TempDir(), nil)
	cache.log = log.New(&signallingWriter{buffer: &lines, text: "so far", seen: reported}, "", 0)
	cache.reportEvery = time.Millisecond
	err := cache.reporting("one", func() error {
		<-reported
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"building one\n", "building one: 0s so far\n", "built one in "} {
		if !strings.Contains(lines.String(), want) {
			t.Errorf("no line says %q:\n%s", want, lines.String())
		}
	}
}

// signallingWriter closes seen when text is first written.
type signallingWriter struct {
	buffer *bytes.Buffer
	text   string
	seen   chan struct{}
	once   sync.Once
}

func (w *signallingWriter) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.text) {
		w.once.Do(func() { close(w.seen) })
	}
	return w.buffer.Write(p)
}
