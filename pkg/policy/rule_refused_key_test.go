package policy

import "testing"

func TestRefusedKey(t *testing.T) {
	t.Parallel()
	key := func(text string) string {
		return `{metadata: {name: web}, spec: {dnsNames: [a.example.com], issuerRef: {name: le}, privateKey: ` + text + `}}`
	}
	for sentence, c := range map[string]expectation{
		"RSA of an odd size": {
			request: certificate(t, key(`{algorithm: RSA, size: 8192}`)), reason: ReasonRefusedKey, refused: true,
			message: "Certificate shop/web can never be issued by Issuer le at acme-v02.api.letsencrypt.org (Let's Encrypt, production): the private key is RSA of 8192 bits, " +
				"but Let's Encrypt signs only 2048, 3072 and 4096. Change spec.privateKey, or leave it out for RSA of 2048 bits",
			warnings: []string{
				"the private key is RSA of 8192 bits, but Let's Encrypt signs only 2048, 3072 and 4096",
				"refused with certwire.dev/issuance=deny: " + Docs(RefusedKey),
			},
		},
		"P-521":                             {request: certificate(t, key(`{algorithm: ECDSA, size: 521}`)), reason: ReasonRefusedKey, refused: true},
		"Ed25519":                           {request: certificate(t, key(`{algorithm: Ed25519}`)), reason: ReasonRefusedKey, refused: true},
		"Ed25519 at staging":                {request: certificate(t, key(`{algorithm: Ed25519}`), at(t, "https://acme-staging-v02.api.letsencrypt.org/directory", "")), reason: ReasonRefusedKey, refused: true},
		"Ed25519 at another CA":             {request: certificate(t, key(`{algorithm: Ed25519}`), at(t, zeroServer, ""))},
		"Ed25519 for an Ingress":            {request: certificate(t, key(`{algorithm: Ed25519}`), kind(Certificate, "Ingress")), reason: ReasonRefusedKey},
		"P-384":                             {request: certificate(t, key(`{algorithm: ECDSA, size: 384}`))},
		"no key at all":                     {request: certificate(t, key(`null`))},
		"another policy of rotation":        {request: certificate(t, key(`{algorithm: Ed25519, rotationPolicy: Never}`), was(t, key(`{algorithm: Ed25519}`))), unchanged: true},
		"an update of something else":       {request: certificate(t, key(`{algorithm: Ed25519}`), was(t, `{spec: {issuerRef: {name: le}, privateKey: {algorithm: Ed25519}}}`)), unchanged: true},
		"an update from a good key":         {request: certificate(t, key(`{algorithm: Ed25519}`), was(t, `{spec: {issuerRef: {name: le}}}`)), reason: ReasonRefusedKey, refused: true},
		"a private CA":                      {request: certificate(t, key(`{algorithm: Ed25519}`), at(t, privateServer, ""))},
		"an issuer that does not exist yet": {request: certificate(t, key(`{algorithm: Ed25519}`), func(r *Request) { r.Issuer = Issuer{} })},
	} {
		t.Run(sentence, func(t *testing.T) { t.Parallel(); c.check(t, refusedKey) })
	}
}
