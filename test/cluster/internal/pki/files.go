package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
)

// SigningKey names the PEM files of a key pair without a certificate.
type SigningKey struct {
	Private, Public string
}

// NewSigningKey makes the key that signs ServiceAccount tokens and writes it into
// dir as file.key, with its public half in file.pub.
func NewSigningKey(dir, file string) (SigningKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return SigningKey{}, fmt.Errorf("generating signing key %s: %w", file, err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return SigningKey{}, fmt.Errorf("encoding the public half of signing key %s: %w", file, err)
	}
	base := filepath.Join(dir, file)
	names := SigningKey{Private: base + ".key", Public: base + ".pub"}
	if err := writeKey(names.Private, key); err != nil {
		return SigningKey{}, err
	}
	return names, writePEM(names.Public, "PUBLIC KEY", public, 0o644)
}

// writePair writes the certificate and key to base.crt and base.key.
func writePair(base string, cert []byte, key *ecdsa.PrivateKey) (Pair, error) {
	names := Pair{Cert: base + ".crt", Key: base + ".key"}
	if err := writePEM(names.Cert, "CERTIFICATE", cert, 0o644); err != nil {
		return Pair{}, err
	}
	return names, writeKey(names.Key, key)
}

// writeKey writes key in PKCS #8 form, readable by the owner only.
func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encoding key %s: %w", path, err)
	}
	return writePEM(path, "PRIVATE KEY", der, 0o600)
}

func writePEM(path, kind string, der []byte, mode os.FileMode) error {
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
