package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// BudgetName is the name of the budget object of a registered domain at a CA, or of an account when account is set. It
// depends on nothing else, so every replica arrives at the same object, and an owner can make it before the first
// order. What fits is readable, as in "example.com--acme-v02.api.letsencrypt.org"; what does not (an IP prefix, a
// wildcard, a very long name) ends in a part of its hash.
func BudgetName(ca, domain, account string) string {
	subject := domain
	if account != "" {
		subject = "account-" + hash(account)[:16]
	}
	plain := subject + "--" + ca
	mistakable := account == "" && strings.HasPrefix(domain, "account-")
	if name := sanitize(plain); name == plain && len(name) <= maxName && !mistakable {
		return name
	}
	name := sanitize(subject + "--" + ca)
	if len(name) > 230 {
		name = strings.TrimRight(name[:230], "-.")
	}
	return name + "-" + hash(plain)[:16]
}

// sanitize makes a text fit the rules for names of objects (RFC 1123 subdomains).
func sanitize(s string) string {
	out := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '.':
			return r
		case r == '*':
			return 'x'
		default:
			return '-'
		}
	}, s)
	for _, bad := range []string{"..", ".-", "-."} {
		for strings.Contains(out, bad) {
			out = strings.ReplaceAll(out, bad, ".x")
		}
	}
	if out == "" || out[0] == '-' || out[0] == '.' {
		out = "x" + out
	}
	return strings.TrimRight(out, "-.")
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// keyOfSet is the beginning of a set's key in hex, as acme.SetKey gives it.
func keyOfSet(key string) (k setKey) {
	raw, err := hex.DecodeString(key[:min(len(key), 2*len(k))])
	if err == nil {
		copy(k[:], raw)
	}
	return k
}

func (k setKey) String() string { return hex.EncodeToString(k[:]) }

func keyOfUID(uid string) (k uidKey) {
	sum := sha256.Sum256([]byte(uid))
	copy(k[:], sum[:])
	return k
}
