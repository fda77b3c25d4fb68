package controlplane

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWriteKubeconfig(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	creds, err := newCredentials(dir, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "folder", "kubeconfig")
	cp := &ControlPlane{creds: creds, api: "https://127.0.0.1:6443"}

	for range 2 { // the second replaces the first
		if err := cp.writeKubeconfig(path, creds.admin); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), "server: https://127.0.0.1:6443\n") {
		t.Errorf("the server is not in it:\n%s", content)
	}
	if err := RemoveKubeconfig(path); err != nil {
		t.Errorf("a kubeconfig of ours was not removed: %v", err)
	}
	if err := RemoveKubeconfig(path); err != nil {
		t.Errorf("removing what is not there failed: %v", err)
	}
}

func TestForeignKubeconfigStays(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte("apiVersion: v1\nkind: Config\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := RemoveKubeconfig(path); err == nil {
		t.Error("somebody else's kubeconfig was removed")
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}
