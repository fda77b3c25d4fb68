package probe

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Fingerprint is the SHA-256 of a certificate's DER bytes, 64 hexadecimal digits in lower case.
type Fingerprint string

// FingerprintOf returns the fingerprint of a certificate's DER bytes.
func FingerprintOf(der []byte) Fingerprint {
	sum := sha256.Sum256(der)
	return Fingerprint(hex.EncodeToString(sum[:]))
}

// Leaf is what is worth telling of a server's certificate.
type Leaf struct {
	Fingerprint Fingerprint
	// Serial is the serial number in lower-case hexadecimal without leading zeros, as Go prints it.
	Serial string
	// Names are the subject alternative names, DNS names and IP addresses, sorted; the common name if there are none.
	Names []string
	// Issuer is the issuer's distinguished name.
	Issuer              string
	NotBefore, NotAfter time.Time
	// Key is the kind of its key.
	Key x509.PublicKeyAlgorithm
	// SelfSigned says that it names itself as its issuer.
	SelfSigned bool
}

// NewLeaf tells of a certificate.
func NewLeaf(c *x509.Certificate) Leaf {
	l := Leaf{
		Fingerprint: FingerprintOf(c.Raw),
		Serial:      fmt.Sprintf("%x", c.SerialNumber),
		Issuer:      c.Issuer.String(),
		NotBefore:   c.NotBefore,
		NotAfter:    c.NotAfter,
		Key:         c.PublicKeyAlgorithm,
		SelfSigned:  string(c.RawIssuer) == string(c.RawSubject),
	}
	l.Names = slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		l.Names = append(l.Names, ip.String())
	}
	if len(l.Names) == 0 && c.Subject.CommonName != "" {
		l.Names = []string{c.Subject.CommonName}
	}
	slices.Sort(l.Names)
	return l
}

// maxChain is how many certificates of a file are read. Chains that a public CA hands out have two or three.
const maxChain = 32

// ParseChain reads the certificates of a PEM file in their order; blocks of other types are passed over. It fails when
// there is none, when there are more than 32, and when one cannot be read.
func ParseChain(data []byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		data = rest
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("reading certificate %d: %w", len(chain)+1, err)
		}
		if chain = append(chain, c); len(chain) > maxChain {
			return nil, fmt.Errorf("more than %d certificates", maxChain)
		}
	}
	if len(chain) == 0 {
		return nil, errors.New("no PEM block of type CERTIFICATE")
	}
	return chain, nil
}
