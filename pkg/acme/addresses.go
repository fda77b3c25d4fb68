package acme

import (
	"fmt"
	"net/netip"
)

// specialPurpose are the address blocks that no public CA issues for: the Baseline Requirements (section 4.2.2) forbid
// what IANA lists as special. Blocks within a listed block are left out.
//
// Sources: https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry, as of November 2026.
var specialPurpose = []struct {
	block netip.Prefix
	use   string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "this network"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private use"},
	{netip.MustParsePrefix("100.64.0.0/10"), "shared by carriers"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private use"},
	{netip.MustParsePrefix("192.0.0.0/24"), "protocol assignments"},
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation"},
	{netip.MustParsePrefix("192.31.196.0/24"), "AS112"},
	{netip.MustParsePrefix("192.52.193.0/24"), "AMT"},
	{netip.MustParsePrefix("192.88.99.0/24"), "6to4 relays"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private use"},
	{netip.MustParsePrefix("192.175.48.0/24"), "AS112"},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmarking"},
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"},

	{netip.MustParsePrefix("::/128"), "unspecified"},
	{netip.MustParsePrefix("::1/128"), "loopback"},
	{netip.MustParsePrefix("64:ff9b::/96"), "IPv4 translation"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "IPv4 translation"},
	{netip.MustParsePrefix("100::/64"), "discard only"},
	{netip.MustParsePrefix("100:0:0:1::/64"), "dummy prefix"},
	{netip.MustParsePrefix("2001::/23"), "protocol assignments"},
	{netip.MustParsePrefix("2001:db8::/32"), "documentation"},
	{netip.MustParsePrefix("2002::/16"), "6to4"},
	{netip.MustParsePrefix("2620:4f:8000::/48"), "AS112"},
	{netip.MustParsePrefix("3fff::/20"), "documentation"},
	{netip.MustParsePrefix("5f00::/16"), "segment routing"},
	{netip.MustParsePrefix("fc00::/7"), "unique local"},
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
}

// CheckIP says what is wrong with an IP address of an order: found is true if a public CA refuses it, whoever asks. The
// address may be in any spelling, since cert-manager's request has it as bytes. Whether the CA issues for addresses at
// all is [Profile].IPAddresses.
//
// Source: boulder, policy/pa.go (ValidIP).
func CheckIP(address string) (problem NameProblem, found bool) {
	ip, ok := parseIP(address)
	if !ok {
		return NameProblem{Name: address, Why: "is not an IP address"}, true
	}
	for _, special := range specialPurpose {
		if special.block.Contains(ip) {
			why := fmt.Sprintf("is in %s (%s), which no public CA issues for", special.block, special.use)
			return NameProblem{Name: address, Why: why}, true
		}
	}
	return NameProblem{}, false
}
