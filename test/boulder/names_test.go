package boulder

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/letsencrypt/boulder/core"
	"github.com/letsencrypt/boulder/identifier"
	"github.com/letsencrypt/boulder/policy"
	"github.com/letsencrypt/boulder/ratelimits"
	"github.com/weppos/publicsuffix-go/publicsuffix"

	"github.com/certwire/certwire/pkg/acme"
)

const generatedNames = 400_000

// nameMaker makes names that are mostly nearly right.
type nameMaker struct {
	rng      *rand.Rand
	suffixes []string
}

func newNameMaker(rng *rand.Rand) nameMaker {
	m := nameMaker{rng: rng, suffixes: []string{"internal", "local", "test", "invalid", "localhost", "corp", "com", "net"}}
	for _, rule := range publicsuffix.DefaultRules() {
		m.suffixes = append(m.suffixes, rule.Value)
	}
	return m
}

func (m nameMaker) pick(from ...string) string { return from[m.rng.IntN(len(from))] }

func (m nameMaker) label() string {
	switch m.rng.IntN(16) {
	case 0:
		return "xn--" + m.pick("bcher-kva", "p1ai", "80ak6aa92e", "a", "", "-", "maana-pta", "ls8h", "0", "zz-99999")
	case 1:
		return m.pick("ab--c", "-a", "a-", "--", "a_b", "*", "", " a", "a b", "BIG", "b\u00fccher", "\u212a", "r3---sn", "1", "\xff", "a,b", "a\n")
	case 2:
		return strings.Repeat("a", 60+m.rng.IntN(6))
	}
	letters := make([]byte, 1+m.rng.IntN(8))
	for i := range letters {
		letters[i] = "abcdefghijklmnopqrstuvwxyz0123456789-A"[m.rng.IntN(38)]
	}
	return string(letters)
}

func (m nameMaker) name() string {
	if m.rng.IntN(40) == 0 {
		return m.odd()
	}
	labels := make([]string, 0, 12)
	if m.rng.IntN(6) == 0 {
		labels = append(labels, m.pick("*", "*", "*", "**", "*a", "a*"))
	}
	count := m.rng.IntN(4)
	if m.rng.IntN(20) == 0 {
		count = 6 + m.rng.IntN(6)
	}
	for range count {
		labels = append(labels, m.label())
	}
	labels = append(labels, m.suffixes[m.rng.IntN(len(m.suffixes))])
	name := strings.Join(labels, ".")
	switch m.rng.IntN(50) {
	case 0:
		name += "."
	case 1:
		name = "." + name
	case 2:
		name = strings.ToUpper(name)
	}
	return name
}

func (m nameMaker) odd() string {
	switch m.rng.IntN(4) {
	case 0:
		return netip.AddrFrom4([4]byte{byte(m.rng.IntN(256)), 2, 3, 4}).String()
	case 1:
		var b [16]byte
		b[0], b[1], b[m.rng.IntN(16)] = 0x20, byte(m.rng.IntN(256)), byte(m.rng.IntN(256))
		return m.pick("", "", "*.") + netip.AddrFrom16(b).String() + m.pick("", "", "%eth0")
	case 2:
		return m.pick("", ".", "..", "*", "*.", "*.*", "com", "*.com", "co.uk", "*.co.uk", "ck", "*.ck", "a.ck", "*.a.ck", "www.ck", "*.www.ck")
	}
	return strings.Repeat("a.", m.rng.IntN(130)) + strings.Repeat("b", m.rng.IntN(70)) + ".com"
}

// TestNames requires of generated names the same as boulder: whether they are refused, and what they count under.
func TestNames(t *testing.T) {
	t.Parallel()
	m := newNameMaker(random(t, 2))
	refused := 0
	for range generatedNames {
		name := m.name()
		theirs := policy.ValidDomain(strings.ToLower(name)) // a new order is lowered first: identifier.Normalize
		problem, found := acme.CheckName(name)
		if found != (theirs != nil) {
			t.Fatalf("%q: boulder says %v, certwire %v", name, theirs, problem)
		}
		if found {
			refused++
		}
		ident := identifier.FromString(strings.ToLower(name))
		if ip, err := netip.ParseAddr(ident.Value); err == nil && ip.Is4In6() {
			continue // cert-manager asks for the IPv4 address
		}
		bucket, err := ratelimits.BuildBucketKey(ratelimits.CertificatesPerDomain, 1, ident, nil, netip.Addr{})
		if err != nil {
			if theirs == nil {
				t.Fatalf("%q: boulder finds no registered domain: %v", name, err)
			}
			continue
		}
		_, want, _ := strings.Cut(bucket, ":")
		if got := acme.RegisteredDomain(name); got != want {
			t.Fatalf("%q: boulder counts it under %q, certwire under %q", name, want, got)
		}
	}
	if refused < generatedNames/10 || refused > generatedNames*9/10 {
		t.Errorf("%d of %d names are refused, which compares too little", refused, generatedNames)
	}
	fmt.Fprintf(os.Stdout, "%d names compared (%d refused), 0 differences\n", generatedNames, refused)
}

// TestSets requires the same key of a set of names as boulder, in whatever order and case they come.
func TestSets(t *testing.T) {
	t.Parallel()
	rng := random(t, 3)
	m := newNameMaker(rng)
	for range 100_000 {
		var set []string
		for range 1 + rng.IntN(8) {
			name := m.name()
			if ip, err := netip.ParseAddr(name); err == nil && ip.Is4In6() {
				continue
			}
			set = append(set, name)
			if rng.IntN(4) == 0 {
				set = append(set, strings.ToUpper(name))
			}
		}
		before := slices.Clone(set)
		got := acme.SetKey(set)
		if !slices.Equal(set, before) {
			t.Fatalf("SetKey changed its input %q to %q", before, set)
		}
		idents := identifier.FromStringSlice(set)
		if want := fmt.Sprintf("%x", core.HashIdentifiers(slices.Clone(idents))); got != want {
			t.Fatalf("%q: boulder's key is %s, certwire's %s", set, want, got)
		}
		var normalized []string
		for _, ident := range identifier.Normalize(idents) {
			normalized = append(normalized, ident.Value)
		}
		if ours := acme.NormalizeIdentifiers(set); !slices.Equal(ours, normalized) {
			t.Fatalf("%q: boulder makes %q of it, certwire %q", set, normalized, ours)
		}
	}
}

// TestAddresses requires that the same IP addresses are refused, at the edges of all blocks and in between.
func TestAddresses(t *testing.T) {
	t.Parallel()
	rng := random(t, 5)
	refused := 0
	check := func(ip netip.Addr) {
		theirs := policy.ValidIP(ip.String())
		problem, found := acme.CheckIP(ip.String())
		if found != (theirs != nil) {
			t.Fatalf("%s: boulder says %v, certwire %v", ip, theirs, problem)
		}
		if found {
			refused++
		}
	}
	const generated = 200_000
	for range generated {
		var b [16]byte
		for i := range b {
			switch rng.IntN(3) {
			case 0:
				b[i] = byte(rng.IntN(256))
			case 1:
				b[i] = 0xff
			}
		}
		if first := [][]byte{{0}, {0, 0x64, 0xff, 0x9b}, {1}, {0x20, 1}, {0x20, 2}, {0x26, 0x20, 0, 0x4f}, {0x3f, 0xff}, {0x5f}, {0xfc}, {0xfe, 0x80}}; rng.IntN(2) == 0 {
			copy(b[:], first[rng.IntN(len(first))])
		}
		if ip := netip.AddrFrom16(b); !ip.Is4In6() {
			check(ip)
		}
		check(netip.AddrFrom4([4]byte{byte(rng.IntN(256)), byte(rng.IntN(256)), b[2], b[3]}))
		v4 := [][4]byte{{192, 0, 0, b[0]}, {192, 0, 2, b[0]}, {192, 88, 99, b[0]}, {198, 51, 100, b[0]}, {203, 0, 113, b[0]}, {100, b[0], b[1], b[2]}, {192, b[0], 48, 1}, {192, 31, b[0], 1}, {192, 52, b[0], 1}}
		check(netip.AddrFrom4(v4[rng.IntN(len(v4))]))
	}
	fmt.Fprintf(os.Stdout, "%d rounds of addresses compared (%d refused), 0 differences\n", generated, refused)
}
