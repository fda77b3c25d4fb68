package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"time"
)

const (
	// lifetime is far longer than any cluster of this kind lives.
	lifetime = 365 * 24 * time.Hour
	// backdate forgives a clock that was set back a little between two runs.
	backdate = time.Hour
)

// Pair names the PEM files of a certificate and its key.
type Pair struct {
	Cert, Key string
}

// Authority signs the certificates of one cluster.
type Authority struct {
	// Pair holds the authority's own files.
	Pair

	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Subject says whom a leaf certificate is for. A certificate with hosts may serve
// under those names and addresses; every certificate may also be shown by a client.
type Subject struct {
	// Name is the common name: to the API server, the user name.
	Name string
	// Groups are the organisations: to the API server, the user's groups.
	Groups []string
	// Hosts are DNS names and IP addresses.
	Hosts []string
}

// New makes an authority and writes its files ca.crt and ca.key into dir.
func New(dir string, now time.Time) (*Authority, error) {
	template, err := newTemplate(pkix.Name{CommonName: "certwire test cluster"}, now)
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage |= x509.KeyUsageCertSign

	a := &Authority{dir: dir}
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating the authority's key: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("signing the authority's certificate: %w", err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("parsing the authority's certificate: %w", err)
	}
	a.Pair, err = writePair(filepath.Join(dir, "ca"), der, a.key)
	return a, err
}

// Issue makes a key and a certificate for subject and writes them as file.crt and
// file.key beside the authority's own.
func (a *Authority) Issue(file string, subject Subject, now time.Time) (Pair, error) {
	template, err := newTemplate(pkix.Name{CommonName: subject.Name, Organization: subject.Groups}, now)
	if err != nil {
		return Pair{}, err
	}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(subject.Hosts) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	for _, host := range subject.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("generating the key of %s: %w", subject.Name, err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return Pair{}, fmt.Errorf("signing the certificate of %s: %w", subject.Name, err)
	}
	return writePair(filepath.Join(a.dir, file), der, key)
}

// newTemplate returns what the authority's certificate and its leaves share.
func newTemplate(name pkix.Name, now time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("drawing a serial number for %s: %w", name.CommonName, err)
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      name,
		NotBefore:    now.Add(-backdate),
		NotAfter:     now.Add(lifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}, nil
}
