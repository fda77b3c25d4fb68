package certs

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
)

// writePair puts a certificate with its CA, and its key, into two files.
func writePair(t *testing.T, certificateFile, keyFile string, certificate *tls.Certificate, ca testCA) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for file, data := range map[string][]byte{
		certificateFile: encode([]*x509.Certificate{certificate.Leaf, ca.Certificate}),
		keyFile:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	ca := newCA(t, "own", epoch, 365*day)
	first, second := ca.leaf(t, epoch, 7*day), ca.leaf(t, epoch, 8*day)
	certificateFile, keyFile := filepath.Join(t.TempDir(), "tls.crt"), filepath.Join(t.TempDir(), "tls.key")
	writePair(t, certificateFile, keyFile, first, ca)

	source, err := NewFiles(certificateFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	clock := clocktesting.NewFakeClock(epoch.Add(time.Hour))
	source.clock = clock
	inBackground(t, source.Start)

	expect := func(want *tls.Certificate) func() error {
		return func() error {
			leaf, end := source.NotAfter()
			got, err := source.GetCertificate(nil)
			if err != nil || !got.Leaf.Equal(want.Leaf) || !leaf.Equal(want.Leaf.NotAfter) || !end.Equal(ca.NotAfter) {
				return errors.Join(errors.New("another certificate"), err)
			}
			return nil
		}
	}
	eventually(t, "serving the files", expect(first))
	writePair(t, certificateFile, keyFile, second, ca)
	eventually(t, "serving the changed files", expect(second))

	if err := source.Healthy(); err != nil {
		t.Errorf("not healthy: %v", err)
	}
	clock.SetTime(epoch.Add(-time.Hour))
	if err := source.Healthy(); err == nil || !strings.Contains(err.Error(), "not valid before") {
		t.Errorf("healthy before its time: %v", err)
	}
	clock.SetTime(epoch.Add(9 * day))
	if err := source.Healthy(); err == nil || !strings.Contains(err.Error(), "ended at") {
		t.Errorf("healthy after its time: %v", err)
	}
}

func TestFilesThatAreMissing(t *testing.T) {
	t.Parallel()
	if _, err := NewFiles("", ""); err == nil ||
		!strings.Contains(err.Error(), "--tls-cert-file") || !strings.Contains(err.Error(), "--tls-private-key-file") {
		t.Errorf("error %v, want both flags in it", err)
	}
	if _, err := NewFiles(filepath.Join(t.TempDir(), "a"), "b"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want that the file does not exist", err)
	}
}
