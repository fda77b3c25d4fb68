package policy

import (
	"time"

	"github.com/go-json-experiment/json"
)

// list reads a list of the spec. A field of the wrong type counts as empty, here and below: the API server has
// checked the types, and cert-manager is the one to say what is wrong with a value.
func (o *Object) list(name string) []string {
	var out []string
	if o.field(name, &out) != nil {
		return nil
	}
	return out
}

func (o *Object) text(name string) string {
	var out string
	if o.field(name, &out) != nil {
		return ""
	}
	return out
}

// DNSNames returns spec.dnsNames as written.
func (o *Object) DNSNames() []string { return o.list("dnsNames") }

// IPAddresses returns spec.ipAddresses as written.
func (o *Object) IPAddresses() []string { return o.list("ipAddresses") }

// URIs returns spec.uris.
func (o *Object) URIs() []string { return o.list("uris") }

// EmailAddresses returns spec.emailAddresses.
func (o *Object) EmailAddresses() []string { return o.list("emailAddresses") }

// CommonName returns spec.commonName as written.
func (o *Object) CommonName() string { return o.text("commonName") }

// PrivateKey returns spec.privateKey's algorithm and size in bits, with cert-manager's defaults filled in.
func (o *Object) PrivateKey() (algorithm string, size int) {
	k := keyOf(*o)
	return k.Algorithm, k.Size
}

// Schedule is when a Certificate asks to be renewed.
type Schedule struct {
	// Before is spec.renewBefore, 0 when it is not set.
	Before time.Duration
	// Percentage is spec.renewBeforePercentage, nil when it is not set.
	Percentage *int32
	// Disabled is true when spec.renewal says that it never is; Windows is true when spec.renewal moves it into certain
	// hours.
	Disabled, Windows bool
}

// Schedule returns what the spec says of renewals.
func (o *Object) Schedule() Schedule {
	var out Schedule
	if d, err := time.ParseDuration(o.text("renewBefore")); err == nil {
		out.Before = d
	}
	var percentage int32
	if raw := o.spec["renewBeforePercentage"]; len(raw) > 0 && string(raw) != "null" && json.Unmarshal(raw, &percentage) == nil {
		out.Percentage = &percentage
	}
	var renewal struct {
		Policy  string `json:"policy"`
		Windows []any  `json:"windows"`
	}
	if o.field("renewal", &renewal) == nil {
		out.Disabled, out.Windows = renewal.Policy == "Disabled", len(renewal.Windows) > 0
	}
	return out
}
