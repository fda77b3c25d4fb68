package acme

import "fmt"

// CheckKey says whether Let's Encrypt signs a certificate with a key of that kind. The algorithm is in cert-manager's
// words: "RSA" (also if empty), "ECDSA" or "Ed25519"; the size is in bits, and 0 is cert-manager's default (2048, or
// P-256). If ok is false, why says what is wrong and what to use, as a clause that follows "the private key".
//
// Source: boulder, goodkey/good_key.go (LetsEncryptCPS), which follows the CA's certification practice statement.
func CheckKey(algorithm string, size int) (why string, ok bool) {
	switch algorithm {
	case "", "RSA":
		switch size {
		case 0, 2048, 3072, 4096:
			return "", true
		}
		return fmt.Sprintf("is RSA of %d bits, but Let's Encrypt signs only 2048, 3072 and 4096", size), false
	case "ECDSA":
		switch size {
		case 0, 256, 384:
			return "", true
		}
		return fmt.Sprintf("is ECDSA of %d bits, but Let's Encrypt signs only P-256 and P-384", size), false
	}
	return fmt.Sprintf("is %s, but Let's Encrypt signs only RSA and ECDSA", algorithm), false
}
