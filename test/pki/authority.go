// Package pki makes what tests of the agent and of the prober need: certificates, TLS servers, and volumes that change
// the way a kubelet changes them.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"
)

// Authority signs leaves through an intermediate, as public CAs do.
type Authority struct {
	Root, Intermediate *x509.Certificate
	rootKey, key       *ecdsa.PrivateKey
}

// Pair is a leaf with its key and the chain that goes with it.
type Pair struct {
	Chain []*x509.Certificate // leaf first, then the intermediate
	Key   crypto.Signer
	CA    *x509.Certificate
}

// NewAuthority makes a root and an intermediate.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{rootKey: ellipticKey(t), key: ellipticKey(t)}
	template := authorityTemplate("certwire test root")
	a.Root = sign(t, template, template, a.rootKey.Public(), a.rootKey)
	a.Intermediate = sign(t, authorityTemplate("certwire test intermediate"), a.Root, a.key.Public(), a.rootKey)
	return a
}

// Option changes the template of a leaf.
type Option func(*x509.Certificate)

// From sets the first moment of validity, and the last 90 days later.
func From(start time.Time) Option {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = start, start.AddDate(0, 0, 90) }
}

// Until sets the last moment of validity.
func Until(end time.Time) Option { return func(c *x509.Certificate) { c.NotAfter = end } }

// CommonName sets the subject's common name.
func CommonName(name string) Option {
	return func(c *x509.Certificate) { c.Subject.CommonName = name }
}

// Leaf issues a certificate for names, with an ECDSA key.
func (a *Authority) Leaf(t testing.TB, names []string, options ...Option) Pair {
	t.Helper()
	return a.issue(t, ellipticKey(t), names, options)
}

// RSALeaf issues one with an RSA key.
func (a *Authority) RSALeaf(t testing.TB, names []string, options ...Option) Pair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return a.issue(t, key, names, options)
}

// SelfSigned issues one that names itself as its issuer.
func SelfSigned(t testing.TB, names []string, options ...Option) Pair {
	t.Helper()
	key := ellipticKey(t)
	template := leafTemplate(t, names, options)
	leaf := sign(t, template, template, key.Public(), key)
	return Pair{Chain: []*x509.Certificate{leaf}, Key: key, CA: leaf}
}

func (a *Authority) issue(t testing.TB, key crypto.Signer, names []string, options []Option) Pair {
	t.Helper()
	leaf := sign(t, leafTemplate(t, names, options), a.Intermediate, key.Public(), a.key)
	return Pair{Chain: []*x509.Certificate{leaf, a.Intermediate}, Key: key, CA: a.Root}
}

// CertPEM is tls.crt.
func (p Pair) CertPEM() []byte {
	var out []byte
	for _, c := range p.Chain {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// KeyPEM is tls.key.
func (p Pair) KeyPEM() []byte {
	der, err := x509.MarshalPKCS8PrivateKey(p.Key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// Files are those that cert-manager writes into a Secret.
func (p Pair) Files() map[string][]byte {
	return map[string][]byte{
		"tls.crt": p.CertPEM(), "tls.key": p.KeyPEM(),
		"ca.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.CA.Raw}),
	}
}

// TLS is what a server is given.
func (p Pair) TLS() tls.Certificate {
	out := tls.Certificate{PrivateKey: p.Key}
	for _, c := range p.Chain {
		out.Certificate = append(out.Certificate, c.Raw)
	}
	return out
}

func ellipticKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func serial(t testing.TB) *big.Int {
	t.Helper()
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func authorityTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
}

func leafTemplate(t testing.TB, names []string, options []Option) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: serial(t), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 0, 90),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	for _, o := range options {
		o(template)
	}
	return template
}

func sign(t testing.TB, template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
