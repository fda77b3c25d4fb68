package pki_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/certwire/certwire/test/cluster/internal/pki"
)

func TestChainsVerify(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ca, err := pki.New(t.TempDir(), now)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(readLeaf(t, ca.Pair))

	server := pki.Subject{Name: "kube-apiserver", Hosts: []string{"127.0.0.1", "kubernetes.default.svc"}}
	client := pki.Subject{Name: "admin", Groups: []string{"system:masters"}}
	tests := map[string]struct {
		subject pki.Subject
		host    string
		usage   x509.ExtKeyUsage
		valid   bool
	}{
		"a server is trusted under its address":             {server, "127.0.0.1", x509.ExtKeyUsageServerAuth, true},
		"a server is trusted under its name":                {server, "kubernetes.default.svc", x509.ExtKeyUsageServerAuth, true},
		"a server is not trusted under another name":        {server, "example.com", x509.ExtKeyUsageServerAuth, false},
		"a server may be a client of another server":        {server, "", x509.ExtKeyUsageClientAuth, true},
		"a client is trusted as a client":                   {client, "", x509.ExtKeyUsageClientAuth, true},
		"a client cannot serve, having no name to serve by": {client, "", x509.ExtKeyUsageServerAuth, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pair, err := ca.Issue(rand.Text(), test.subject, now)
			if err != nil {
				t.Fatal(err)
			}
			leaf := readLeaf(t, pair)
			_, err = leaf.Verify(x509.VerifyOptions{
				Roots: roots, DNSName: test.host, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{test.usage},
			})
			if valid := err == nil; valid != test.valid {
				t.Errorf("valid is %t, want %t: %v", valid, test.valid, err)
			}
			if leaf.Subject.CommonName != test.subject.Name || !slices.Equal(leaf.Subject.Organization, test.subject.Groups) {
				t.Errorf("the subject is %s, want %+v", leaf.Subject, test.subject)
			}
		})
	}
}

func TestAnotherAuthorityIsNotTrusted(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ours, err := pki.New(t.TempDir(), now)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := pki.New(t.TempDir(), now)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := theirs.Issue("admin", pki.Subject{Name: "admin"}, now)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(readLeaf(t, ours.Pair))

	_, err = readLeaf(t, pair).Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err == nil {
		t.Error("a certificate of another authority verified")
	}
}

func TestSigningKey(t *testing.T) {
	t.Parallel()
	names, err := pki.NewSigningKey(t.TempDir(), "sa")
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.ParsePKCS8PrivateKey(readPEM(t, names.Private))
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.ParsePKIXPublicKey(readPEM(t, names.Public))
	if err != nil {
		t.Fatal(err)
	}
	if !private.(*ecdsa.PrivateKey).PublicKey.Equal(public) {
		t.Error("the public file does not belong to the private file")
	}
	info, err := os.Stat(names.Private)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the private key has mode %s, want only its owner to read it", info.Mode())
	}
}

func readLeaf(t *testing.T, pair pki.Pair) *x509.Certificate {
	t.Helper()
	loaded, err := tls.LoadX509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	return loaded.Leaf
}

func readPEM(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatalf("%s is not PEM", path)
	}
	return block.Bytes
}
