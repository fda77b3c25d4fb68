package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/certwire/certwire/pkg/acme"
)

// at puts the issuer at a directory, with a profile.
func at(t *testing.T, server, profile string) func(*Request) {
	t.Helper()
	return func(r *Request) {
		d := directories(t)
		r.Issuer.Directory, r.Issuer.Profile = d.Lookup(server), profile
		r.Issuer.Service, _ = d.Service(server)
	}
}

const (
	leServer      = "https://acme-v02.api.letsencrypt.org/directory"
	zeroServer    = "https://acme.zerossl.com/v2/DV90"
	privateServer = "https://ca.corp.example/acme"
)

func names(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("n%d.example.com", i)
	}
	return "spec: {dnsNames: [" + strings.Join(list, ", ") + "], issuerRef: {name: le}}"
}

func TestImpossibleName(t *testing.T) {
	t.Parallel()
	spec := func(rest string) string {
		return `{metadata: {name: web}, spec: {` + rest + `, issuerRef: {name: le}}}`
	}
	le := at(t, leServer, "")
	const head = "Certificate shop/web can never be issued by Issuer le at acme-v02.api.letsencrypt.org (Let's Encrypt, production): "
	for sentence, c := range map[string]expectation{
		"internal names": {
			request: certificate(t, spec(`dnsNames: [www.example.com, db.internal, web.shop.svc.cluster.local, a.local, b.local]`), le), reason: ReasonImpossibleName, refused: true,
			message: head + `"db.internal" has no public suffix (.internal is not a public top-level domain); ` +
				`"web.shop.svc.cluster.local" has no public suffix (.local is not a public top-level domain); ` +
				`"a.local" has no public suffix (.local is not a public top-level domain); and 1 more. ` +
				`Ask a public CA for public names, and an issuer with a private CA for internal ones`,
			warnings: []string{
				`"db.internal" has no public suffix (.internal is not a public top-level domain)`,
				`"web.shop.svc.cluster.local" has no public suffix (.local is not a public top-level domain)`,
				`"a.local" has no public suffix (.local is not a public top-level domain)`,
				`"b.local" has no public suffix (.local is not a public top-level domain)`,
				"refused with certwire.dev/issuance=deny: " + Docs(ImpossibleName),
			},
		},
		"internal names at another public CA":     {request: certificate(t, spec(`dnsNames: [a.local]`), at(t, zeroServer, "")), reason: ReasonImpossibleName, refused: true},
		"internal names at staging":               {request: certificate(t, spec(`dnsNames: [a.local]`), at(t, "https://acme-staging-v02.api.letsencrypt.org/directory", "")), reason: ReasonImpossibleName, refused: true},
		"internal names at a private CA are fine": {request: certificate(t, spec(`dnsNames: [a.local, "*.corp", corp.], emailAddresses: [a@corp]`), at(t, privateServer, ""))},
		"internal names at a CA of the configuration": {request: certificate(t, spec(`dnsNames: [a.local]`), at(t, privateServer, ""), func(r *Request) {
			r.Issuer.Directory = acme.Directory{Host: "ca.corp.example", CA: "Corp", Stage: acme.Production}
		})},
		"internal names at a public CA under another name": {request: certificate(t, spec(`dnsNames: [a.local]`), le, func(r *Request) { r.Issuer.Directory.CA = "Ours" }), reason: ReasonImpossibleName, refused: true},
		"a single label":                             {request: certificate(t, spec(`dnsNames: [localhost]`), le), reason: ReasonImpossibleName, refused: true},
		"a public suffix":                            {request: certificate(t, spec(`dnsNames: [co.uk]`), le), reason: ReasonImpossibleName, refused: true},
		"an address among the names":                 {request: certificate(t, spec(`dnsNames: [192.0.2.1]`), le), reason: ReasonImpossibleName, refused: true},
		"a trailing dot":                             {request: certificate(t, spec(`dnsNames: [www.example.com.]`), le), reason: ReasonImpossibleName, refused: true},
		"a private address":                          {request: certificate(t, spec(`ipAddresses: [10.0.0.1]`), at(t, leServer, "shortlived")), reason: ReasonImpossibleName, refused: true},
		"an address behind a carrier":                {request: certificate(t, spec(`ipAddresses: [100.100.1.2]`), at(t, leServer, "shortlived")), reason: ReasonImpossibleName, refused: true},
		"a loopback address in IPv6's clothes":       {request: certificate(t, spec(`ipAddresses: ["::ffff:127.0.0.1"]`), at(t, leServer, "shortlived")), reason: ReasonImpossibleName, refused: true},
		"a public address with the profile for them": {request: certificate(t, spec(`ipAddresses: [203.1.113.1]`), at(t, leServer, "shortlived"))},
		"a public address with another profile": {
			request: certificate(t, spec(`ipAddresses: [203.1.113.1]`), le), reason: ReasonProfile,
			warnings: []string{"IP addresses need profile shortlived, but Issuer le asks for classic", "more: " + Docs(ImpossibleName)},
		},
		"a public address with a profile that nobody knows": {request: certificate(t, spec(`ipAddresses: [203.1.113.1]`), at(t, leServer, "future"))},
		"a public address at a CA whose profiles nobody knows": {
			request: certificate(t, spec(`ipAddresses: [203.1.113.1]`), at(t, zeroServer, "")),
		},
		"a public address at a CA that has none of them": {request: certificate(t, spec(`ipAddresses: [203.1.113.1]`), le, func(r *Request) { r.Issuer.Service.Profiles = []acme.Profile{{Name: "only"}} }), reason: ReasonImpossibleName, refused: true},
		"a name that a wildcard covers": {
			request: certificate(t, spec(`dnsNames: ["*.example.com", www.example.com]`), le), reason: ReasonRedundantName, refused: true,
			message: head + `"www.example.com" is covered by "*.example.com" already. Leave out what the wildcard covers`,
		},
		"a name that a wildcard covers, at another CA": {request: certificate(t, spec(`dnsNames: ["*.example.com", www.example.com]`), at(t, zeroServer, "")), reason: ReasonRedundantName},
		"a name two levels below a wildcard":           {request: certificate(t, spec(`dnsNames: ["*.example.com", a.www.example.com, example.com]`), le)},
		"an e-mail address": {
			request: certificate(t, spec(`dnsNames: [a.example.com], emailAddresses: [a@example.com]`), le), reason: ReasonEmailOrURI, refused: true,
			message: head + `emailAddresses have no place in a public TLS certificate. Leave them out`,
		},
		"a URI":                          {request: certificate(t, spec(`dnsNames: [a.example.com], uris: ["spiffe://a/b"]`), le), reason: ReasonEmailOrURI, refused: true},
		"a URI at another public CA":     {request: certificate(t, spec(`dnsNames: [a.example.com], uris: ["spiffe://a/b"]`), at(t, zeroServer, "")), reason: ReasonEmailOrURI},
		"a common name among the names":  {request: certificate(t, spec(`commonName: a.example.com, dnsNames: [a.example.com]`), le)},
		"a common name in another case":  {request: certificate(t, spec(`commonName: A.example.com, dnsNames: [a.example.com]`), le), reason: ReasonCommonName, refused: true},
		"a common name alone":            {request: certificate(t, spec(`commonName: a.example.com`), le), reason: ReasonCommonName, refused: true},
		"a common name that is an IP":    {request: certificate(t, spec(`commonName: 203.1.113.1, ipAddresses: [203.1.113.1]`), at(t, leServer, "shortlived")), reason: ReasonCommonName, refused: true},
		"an IP elsewhere":                {request: certificate(t, spec(`commonName: "2001:db8::1", ipAddresses: ["2001:db8:0::1"]`), at(t, privateServer, ""))},
		"more names than any profile":    {request: certificate(t, names(101), le), reason: ReasonTooManyNames, refused: true},
		"as many names as the profile":   {request: certificate(t, names(100), le)},
		"more names than this profile":   {request: certificate(t, names(26), at(t, leServer, "tlsserver")), reason: ReasonProfile},
		"more names, and nobody knows":   {request: certificate(t, names(101), at(t, zeroServer, ""))},
		"a Certificate of an Ingress":    {request: certificate(t, spec(`dnsNames: [a.local]`), le, kind(Certificate, "Ingress")), reason: ReasonImpossibleName},
		"an issuer that is yet to come":  {request: certificate(t, spec(`dnsNames: [a.local]`), le, func(r *Request) { r.Issuer = Issuer{} })},
		"an Order is the CA's matter":    {request: certificate(t, spec(`dnsNames: [a.local]`), le, kind(Order, ""))},
		"an update of something else":    {request: certificate(t, spec(`dnsNames: [a.local]`), le, was(t, spec(`renewBefore: 1h, dnsNames: [a.local]`))), unchanged: true},
		"an update to a public CA":       {request: certificate(t, spec(`dnsNames: [a.local]`), le, was(t, `spec: {dnsNames: [a.local], issuerRef: {name: corp}}`)), reason: ReasonImpossibleName, refused: true},
		"fields of the wrong type":       {request: certificate(t, spec(`dnsNames: 7, ipAddresses: {}, commonName: []`), le)},
		"an address that is none at all": {request: certificate(t, spec(`ipAddresses: [x]`), at(t, leServer, "shortlived"))},
		"a common name that is not among the names, at a private CA": {
			request: certificate(t, spec(`commonName: web, dnsNames: [web.corp]`), at(t, privateServer, "")), reason: ReasonCommonName, refused: true,
			message: `Certificate shop/web can never be issued by Issuer le at ca.corp.example: commonName "web" is not among dnsNames and ipAddresses. Leave spec.commonName out, or repeat a DNS name there`,
		},
	} {
		t.Run(sentence, func(t *testing.T) { t.Parallel(); c.check(t, impossibleName) })
	}
}
