package policy

import (
	"bytes"
	"slices"
	"time"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/certwire/certwire/pkg/acme"
)

// certificateFields are the fields of a Certificate's spec whose change can lead to an order: those that cert-manager
// compares with the last request (pkg/util/pki/match.go, RequestMatchesSpec), the Secret and key it checks before
// (internal/controller/certificates/policies/policies.go, NewTriggerPolicyChain), and when it renews. All others, such
// as secretTemplate or revisionHistoryLimit, only re-write what is there.
var certificateFields = []string{
	"dnsNames", "ipAddresses", "uris", "emailAddresses", "otherNames", "commonName", "subject", "literalSubject", "isCA",
	"usages", "duration", "issuerRef", "secretName", "renewBefore", "renewBeforePercentage",
	"renewal",
}

// sets are the fields whose order does not matter.
var sets = []string{"dnsNames", "ipAddresses", "uris", "emailAddresses", "usages"}

// Relevant reports whether an update changes anything that an order depends on. Labels, annotations, finalizers and
// status never do. A nil old object is a creation, which always does.
func Relevant(old *Object, updated Object) bool {
	if old == nil {
		return true
	}
	switch updated.Kind {
	case Certificate:
		return certificateChanged(*old, updated)
	case IssuerKind, ClusterIssuer:
		return issuerChanged(*old, updated)
	case Ingress:
		return shimChanged(*old, updated, "tls")
	case Gateway:
		return shimChanged(*old, updated, "listeners")
	default: // Order and CertificateRequest: all of the spec is what is asked of the CA
		return len(old.spec) != len(updated.spec) || slices.ContainsFunc(keys(updated.spec), func(f string) bool {
			return !same(f, old.spec[f], updated.spec[f])
		})
	}
}

// Change says which part of a Certificate's spec an update changes, as far as an order depends on it.
type Change struct {
	// Request is what is asked of the CA, Key its private key (which is then asked for, too), Secret where it is put, Renewal
	// when it is asked for again.
	Request, Key, Secret, Renewal bool
}

// ChangeOf compares two versions of a Certificate.
func ChangeOf(old, updated Object) Change {
	c := Change{Key: keyOf(old) != keyOf(updated)}
	c.Request = c.Key || *old.Issuer != *updated.Issuer
	for _, f := range certificateFields {
		if f == "issuerRef" || same(f, old.spec[f], updated.spec[f]) {
			continue
		}
		switch f {
		case "secretName":
			c.Secret = true
		case "renewBefore", "renewBeforePercentage", "renewal":
			c.Renewal = true
		default:
			c.Request = true
		}
	}
	return c
}

func certificateChanged(old, updated Object) bool {
	return changed(certificateFields...)(old, updated) || keyOf(old) != keyOf(updated)
}

// changed compares fields of a Certificate's spec.
func changed(fields ...string) func(old, updated Object) bool {
	return func(old, updated Object) bool {
		return slices.ContainsFunc(fields, func(f string) bool {
			if f == "issuerRef" && old.Issuer != nil && updated.Issuer != nil {
				return *old.Issuer != *updated.Issuer
			}
			return !same(f, old.spec[f], updated.spec[f])
		})
	}
}

// issuerChanged reports whether what an issuer orders, or how it proves names, has changed. Its e-mail address or its
// account's key say nothing of that.
func issuerChanged(old, updated Object) bool {
	if directoryChanged(old, updated) {
		return true
	}
	a, b := old.ACME(), updated.ACME()
	if a == nil || b == nil {
		return (a == nil) != (b == nil)
	}
	return a.Profile != b.Profile || !sameSolvers(a.Solvers, b.Solvers) || !sameBinding(a.ExternalAccountBinding, b.ExternalAccountBinding)
}

func directoryChanged(old, updated Object) bool { return host(old.Server) != host(updated.Server) }

func solversChanged(old, updated Object) bool {
	var a, b []acmeapi.ACMEChallengeSolver
	if spec := old.ACME(); spec != nil {
		a = spec.Solvers
	}
	if spec := updated.ACME(); spec != nil {
		b = spec.Solvers
	}
	return !sameSolvers(a, b)
}

// sameBinding compares external accounts: another one may have other rights at the CA.
func sameBinding(a, b *acmeapi.ACMEExternalAccountBinding) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.KeyID == b.KeyID && a.Key == b.Key
}

func shimChanged(old, updated Object, field string) bool {
	for _, annotation := range []string{issuerKey, clusterIssuerKey, issuerKindKey, issuerGroupKey} {
		if old.Annotations[annotation] != updated.Annotations[annotation] {
			return true
		}
	}
	return !same(field, old.spec[field], updated.spec[field])
}

// privateKey is the part of spec.privateKey that decides whether the present key still fits.
type privateKey struct {
	Algorithm string `json:"algorithm"`
	Size      int    `json:"size"`
}

func keyOf(o Object) privateKey {
	var k privateKey
	if err := o.field("privateKey", &k); err != nil {
		return privateKey{Algorithm: err.Error()} // unreadable on both sides is unchanged
	}
	if k.Algorithm == "" {
		k.Algorithm = "RSA"
	}
	switch { // cert-manager's defaults, pkg/util/pki/generate.go
	case k.Size == 0 && k.Algorithm == "RSA":
		k.Size = 2048
	case k.Size == 0 && k.Algorithm == "ECDSA":
		k.Size = 256
	}
	return k
}

func host(server string) string {
	h, err := acme.Host(server)
	if err != nil {
		return server
	}
	return h
}

// same compares two JSON values as values: white space, the order of an object's members and, for sets, of a list's
// items do not count, and an absent value equals null, an empty list and an empty string.
func same(field string, a, b jsontext.Value) bool {
	if slices.Contains(sets, field) {
		var x, y []string
		if json.Unmarshal(orNull(a), &x) == nil && json.Unmarshal(orNull(b), &y) == nil {
			if field == "usages" {
				x, y = usages(x), usages(y)
			}
			slices.Sort(x)
			slices.Sort(y)
			return slices.Equal(x, y)
		}
	}
	if field == "duration" || field == "renewBefore" {
		if x, y, ok := durations(a, b); ok {
			return x == y
		}
	}
	return bytes.Equal(canonical(a), canonical(b))
}

// usages are cert-manager's defaults when there are none (pkg/apis/certmanager/v1, DefaultKeyUsages).
func usages(list []string) []string {
	if len(list) == 0 {
		return []string{"digital signature", "key encipherment"}
	}
	return list
}

// durations reads two Go durations, of which there are many spellings.
func durations(a, b jsontext.Value) (x, y time.Duration, ok bool) {
	var s, t string
	if json.Unmarshal(orNull(a), &s) != nil || json.Unmarshal(orNull(b), &t) != nil || s == "" || t == "" {
		return 0, 0, false
	}
	x, errX := time.ParseDuration(s)
	y, errY := time.ParseDuration(t)
	return x, y, errX == nil && errY == nil
}

func canonical(v jsontext.Value) []byte {
	v = orNull(v).Clone()
	if err := v.Canonicalize(); err != nil {
		return v
	}
	switch string(v) {
	case "[]", "{}", `""`, "false":
		return []byte("null")
	}
	return v
}

func orNull(v jsontext.Value) jsontext.Value {
	if len(v) == 0 {
		return jsontext.Value("null")
	}
	return v
}

func keys(m map[string]jsontext.Value) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
