package acme

import "sync"

// LetsEncrypt is the name of the CA whose rules certwire knows in full.
const LetsEncrypt = "Let's Encrypt"

// PublicCA returns the public CA that a directory's host belongs to, whatever a configuration calls it; empty for hosts
// that certwire does not know by itself, which may be those of a private CA.
func PublicCA(host string) string { return publicCAs()[host].CA }

var publicCAs = sync.OnceValue(func() map[string]Directory {
	d, err := NewDirectories(KnownCAs()...)
	if err != nil {
		return nil // a test has seen that it is none
	}
	return d.byHost
})

// KnownCAs returns the public authorities whose directories certwire recognises without configuration.
//
// Sources: Let's Encrypt's own pages (https://letsencrypt.org/docs/staging-environment/ and the v01 host that
// cert-manager still names in its validation), and the directory list that the lego client generates
// (github.com/go-acme/lego, lego/zz_gen_ca.go). An authority without a published test directory has none here.
// Limits are known of Let's Encrypt alone: how the others count is not published.
func KnownCAs() []CA {
	return []CA{
		{
			Name:       LetsEncrypt,
			Production: []string{"acme-v02.api.letsencrypt.org", "acme-v01.api.letsencrypt.org"},
			Staging:    []string{"acme-staging-v02.api.letsencrypt.org", "acme-staging.api.letsencrypt.org"},
			services:   letsEncryptServices(),
		},
		{
			Name:       "Google Trust Services",
			Production: []string{"dv.acme-v02.api.pki.goog"},
			Staging:    []string{"dv.acme-v02.test-api.pki.goog"},
		},
		{Name: "Buypass", Production: []string{"api.buypass.com"}, Staging: []string{"api.test4.buypass.no"}},
		{Name: "ZeroSSL", Production: []string{"acme.zerossl.com"}},
		{Name: "SSL.com", Production: []string{"acme.ssl.com"}},
		{Name: "Sectigo", Production: []string{"acme.sectigo.com"}},
		{Name: "Actalis", Production: []string{"acme-api.actalis.com"}},
		{Name: "DigiCert", Production: []string{"one.digicert.com"}},
		{Name: "GlobalSign", Production: []string{"emea.acme.atlas.globalsign.com"}},
		{Name: "FreeSSL", Production: []string{"acmepro.freessl.cn"}},
		{Name: "LiteSSL", Production: []string{"acme.litessl.com"}},
		{Name: "PeeringHub", Production: []string{"stica.peeringhub.io"}},
	}
}
