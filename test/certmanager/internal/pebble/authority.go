package pebble

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Authority signs what the ACME servers serve TLS with. It has nothing to do with the
// authorities that they issue from.
type Authority struct {
	// File is its certificate as PEM: an issuer's caBundle.
	File string

	// serving is a certificate for this machine's loopback address; the files hold the
	// same, for Pebble.
	serving           tls.Certificate
	certFile, keyFile string
	pool              *x509.CertPool
}

// NewAuthority makes an authority and one certificate for "localhost" and "127.0.0.1",
// and writes their files into dir. The authority's key is not kept.
func NewAuthority(dir string, now time.Time) (*Authority, error) {
	a := &Authority{
		File:     filepath.Join(dir, "ca.crt"),
		certFile: filepath.Join(dir, "serving.crt"),
		keyFile:  filepath.Join(dir, "serving.key"),
		pool:     x509.NewCertPool(),
	}
	template := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial),
			Subject:      pkix.Name{CommonName: name},
			NotBefore:    now.Add(-time.Hour), // forgives a clock that is set back a little
			NotAfter:     now.AddDate(1, 0, 0),
			KeyUsage:     x509.KeyUsageDigitalSignature,
		}
	}
	root := template(1, "certwire test: the ACME servers' TLS")
	root.IsCA, root.BasicConstraintsValid = true, true
	root.KeyUsage |= x509.KeyUsageCertSign
	leaf := template(2, "localhost")
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leaf.DNSNames = []string{"localhost"}
	leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}

	rootDER, rootKey, err := sign(root, root, nil)
	if err != nil {
		return nil, fmt.Errorf("making the authority: %w", err)
	}
	leafDER, leafKey, err := sign(leaf, root, rootKey)
	if err != nil {
		return nil, fmt.Errorf("making the serving certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		return nil, fmt.Errorf("encoding the serving key: %w", err)
	}
	for file, block := range map[string]pem.Block{
		a.File:     {Type: "CERTIFICATE", Bytes: rootDER},
		a.certFile: {Type: "CERTIFICATE", Bytes: leafDER},
		a.keyFile:  {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(&block), 0o600); err != nil {
			return nil, fmt.Errorf("writing %s: %w", file, err)
		}
	}
	rootCert, err := x509.ParseCertificate(rootDER)
	if err != nil {
		return nil, fmt.Errorf("reading the authority: %w", err)
	}
	a.pool.AddCert(rootCert)
	a.serving = tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey}
	return a, nil
}

// sign makes a key for template and signs it with the parent's, or with itself.
func sign(template, parent *x509.Certificate, by *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generating a key: %w", err)
	}
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		return nil, nil, fmt.Errorf("signing: %w", err)
	}
	return der, key, nil
}
