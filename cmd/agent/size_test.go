package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// maxSize is what the binary stays under, in bytes. The image is that file and nothing else (Dockerfile), and every node
// pulls it.
const maxSize = 8_000_000

func TestTheReleasedBinaryIsSmall(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("there is no make, which knows how a release is built")
	}
	folder := t.TempDir()
	build := exec.CommandContext(t.Context(), "make", "-C", filepath.Join("..", ".."), "build-agent", "BIN="+folder, "VERSION=v0.0.0")
	build.Env = append(os.Environ(), "MAKEFLAGS=") // of a make that runs this test
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	binary, err := os.Stat(filepath.Join(folder, "agent"))
	if err != nil {
		t.Fatal(err)
	}
	if size := binary.Size(); size >= maxSize {
		t.Errorf("it has %d bytes, and must have less than %d", size, maxSize)
	}
}
