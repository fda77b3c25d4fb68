package acme

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	"github.com/weppos/publicsuffix-go/publicsuffix"
)

// NormalizeIdentifiers returns the names of an order as a CA compares them: in lower case, DNS names before IP
// addresses, each in bytewise order and once. IP addresses are in the form of RFC 8738, section 3, without a zone, and
// an IPv4 address in IPv6's clothes is the IPv4 address, as in the request that cert-manager signs. Names that are
// neither stay as they are: [CheckName] tells of those. The input is left alone.
//
// Source: boulder, identifier/identifier.go (Normalize).
func NormalizeIdentifiers(names []string) []string {
	out := make([]string, 0, len(names))
	var ips []string
	for _, name := range names {
		if ip, ok := parseIP(name); ok {
			ips = append(ips, ip.String())
			continue
		}
		out = append(out, strings.ToLower(name))
	}
	slices.Sort(out)
	out = slices.Compact(out)
	slices.Sort(ips)
	return append(out, slices.Compact(ips)...)
}

// SetKey is the key of a set of names, whatever their order and case: 64 hexadecimal digits, the SHA-256 of the
// normalised names joined by commas. Source: boulder, core/util.go (HashIdentifiers).
func SetKey(names []string) string {
	return setKey(NormalizeIdentifiers(names))
}

func setKey(normalized []string) string {
	sum := sha256.Sum256([]byte(strings.Join(normalized, ",")))
	return hex.EncodeToString(sum[:])
}

// RegisteredDomain is what a CA counts a name under: the public suffix and one label more, as in "example.co.uk". The
// private section of the Public Suffix List counts, so every user of github.io has a domain of their own. A name that is
// a public suffix is itself; a wildcard counts under the domain that it is for ("*.example.com" under "example.com"),
// unless that is a suffix ("*.github.io" is itself). An IPv4 address is its /32, an IPv6 address its /64.
//
// Names are expected as A-labels; one that cannot be read is itself, in lower case. The list is the one of the library
// that Let's Encrypt uses, at the version in go.mod. Source: boulder, ratelimits/utilities.go (coveringIdentifier).
func RegisteredDomain(name string) string {
	if ip, ok := parseIP(name); ok {
		bits := 64
		if ip.Is4() {
			bits = 32
		}
		return netip.PrefixFrom(ip, bits).Masked().String()
	}
	name = strings.ToLower(name)
	if domain, err := publicsuffix.Domain(name); err == nil {
		return domain
	}
	return name
}

// CoveringDomains are the distinct [RegisteredDomain] of the names, sorted. An order spends one token of each, however
// many names are under it.
func CoveringDomains(names []string) []string {
	domains := make([]string, 0, len(names))
	for _, name := range names {
		domains = append(domains, RegisteredDomain(name))
	}
	slices.Sort(domains)
	return slices.Compact(domains)
}

func parseIP(name string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(name)
	if err != nil {
		return netip.Addr{}, false
	}
	return ip.WithZone("").Unmap(), true
}
