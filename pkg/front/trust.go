package front

import (
	"crypto/x509"
	"errors"
	"time"
)

// Distrust is why callers do not take what was served: a closed set.
type Distrust string

// The ways in which a caBundle does not fit.
const (
	Trusted          Distrust = ""
	UnreadableBundle Distrust = "no certificate can be read in it"
	UnknownAuthority Distrust = "it does not hold the authority that signed"
	WrongName        Distrust = "the certificate is not for the name"
	Expired          Distrust = "the certificate is past its time, or before it"
	Unfit            Distrust = "the certificate cannot be verified"
)

// Trusts verifies a chain as the API server does: against the certificates of a caBundle, for a name, at a time. The
// chain is as it was served, the leaf first.
func Trusts(bundle []byte, chain []*x509.Certificate, name string, now time.Time) Distrust {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bundle) {
		return UnreadableBundle
	}
	if len(chain) == 0 {
		return Unfit
	}
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: between, CurrentTime: now})
	var (
		host      x509.HostnameError
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
	)
	switch {
	case err == nil:
		return Trusted
	case errors.As(err, &host):
		return WrongName
	case errors.As(err, &authority):
		return UnknownAuthority
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return Expired
	default:
		return Unfit
	}
}
