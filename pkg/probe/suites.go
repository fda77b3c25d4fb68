package probe

import (
	"crypto/x509"
	"strings"
)

// suiteFits reports whether a cipher suite of TLS 1.2 is for server keys of one kind. The IANA name says it: the word
// before WITH is how the server signs (RFC 5246 appendix C, RFC 8422 section 2); Ed25519 goes with ECDSA there.
func suiteFits(name string, key x509.PublicKeyAlgorithm) bool {
	ecdsa := strings.Contains(name, "_ECDSA_")
	switch key {
	case x509.RSA:
		return !ecdsa
	case x509.ECDSA, x509.Ed25519:
		return ecdsa
	default:
		return true
	}
}
