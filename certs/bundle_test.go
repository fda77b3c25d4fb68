package certs

import (
	"bytes"
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBundle(t *testing.T) {
	t.Parallel()
	rule := retention{commonName: "certwire-ca", leafDuration: 7 * day}
	first := newCA(t, "certwire-ca", epoch, 365*day)
	second := newCA(t, "certwire-ca", epoch.Add(100*day), 365*day)
	third := newCA(t, "certwire-ca", epoch.Add(103*day), 365*day)
	brief := newCA(t, "certwire-ca", epoch.Add(99*day), 2*day)
	foreign := newCA(t, "somebody-else", epoch.Add(90*day), 365*day)
	leaf := parse(encode([]*x509.Certificate{first.leaf(t, epoch, day).Leaf}))
	garbage := []byte("garbage\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")

	names := map[string]string{
		string(first.Raw): "first", string(second.Raw): "second", string(third.Raw): "third",
		string(brief.Raw): "brief", string(foreign.Raw): "foreign",
	}
	at := func(d time.Duration) time.Time { return epoch.Add(d) }

	for sentence, tc := range map[string]struct {
		existing []byte
		current  testCA
		known    []testCA
		now      time.Time
		want     string
	}{
		"a configuration that was just applied gets the current CA": {
			current: first, now: at(day), want: "first",
		},
		"a bundle that is right stays as it is": {
			existing: pemOf(first), current: first, now: at(day), want: "first",
		},
		"a new CA goes before the old one": {
			existing: pemOf(first), current: second, now: at(100 * day), want: "second first",
		},
		"the order in the bundle does not matter, and neither do doubles": {
			existing: pemOf(first, second, first), current: second, now: at(100 * day), want: "second first",
		},
		"an old CA stays until its last leaf has ended": {
			existing: pemOf(second, first), current: second, now: at(107*day - time.Second), want: "second first",
		},
		"an old CA stays a little longer, for the difference of clocks": {
			existing: pemOf(second, first), current: second, now: at(107*day + pruneSkew - time.Second), want: "second first",
		},
		"an old CA goes when no leaf from it can be alive": {
			existing: pemOf(second, first), current: second, now: at(107*day + pruneSkew), want: "second",
		},
		"an old CA goes with its own end, if that is earlier": {
			existing: pemOf(second, brief), current: second, now: at(101*day + pruneSkew), want: "second",
		},
		"two rotations within the life of a leaf keep both old ones": {
			existing: pemOf(second, first), current: third, now: at(103 * day), want: "third second first",
		},
		"the newest CA counts, also for one that an earlier one superseded": {
			existing: pemOf(third, second, first), current: third, now: at(108 * day), want: "third second first",
		},
		"a replica that has not seen the new CA yet leaves it in": {
			existing: pemOf(second, first), current: first, now: at(100 * day), want: "second first",
		},
		"a restored backup of an old CA is published again, and the newer one stays": {
			existing: pemOf(second), current: first, now: at(200 * day), want: "second first",
		},
		"a configuration that was applied without caBundle amid a rotation gets the old CA back too": {
			current: second, known: []testCA{first, second}, now: at(101 * day), want: "second first",
		},
		"a CA that was pruned is not put back by a replica whose clock is behind": {
			existing: pemOf(second), current: second, known: []testCA{first, second}, now: at(107 * day), want: "second",
		},
		"garbage is dropped": {
			existing: slices.Concat(garbage, pemOf(first), garbage), current: second, now: at(100 * day), want: "second first",
		},
		"a bundle of nothing but garbage does not stop the update": {
			existing: garbage, current: second, now: at(100 * day), want: "second",
		},
		"a CA of somebody else is dropped": {
			existing: pemOf(foreign, first), current: first, now: at(100 * day), want: "first",
		},
		"a CA of somebody else is not taken over from elsewhere": {
			current: first, known: []testCA{foreign}, now: at(100 * day), want: "first",
		},
		"a certificate that is no CA is dropped": {
			existing: encode(leaf), current: first, now: at(time.Hour), want: "first",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			var known []*x509.Certificate
			for _, ca := range tc.known {
				known = append(known, ca.Certificate)
			}
			got := rule.bundle(tc.existing, tc.current.Certificate, known, tc.now)
			var words []string
			for _, ca := range parse(got) {
				words = append(words, names[string(ca.Raw)])
			}
			if diff := cmp.Diff(tc.want, strings.Join(words, " ")); diff != "" {
				t.Errorf("bundle (-want +got):\n%s", diff)
			}
			if again := rule.bundle(got, tc.current.Certificate, known, tc.now); !bytes.Equal(got, again) {
				t.Error("a second pass changes the bundle")
			}
		})
	}
}

func TestBundleIsBounded(t *testing.T) {
	t.Parallel()
	rule := retention{commonName: "certwire-ca", leafDuration: 7 * day}
	var cas []testCA
	for i := range maxCAs + 4 {
		cas = append(cas, newCA(t, "certwire-ca", epoch.Add(time.Duration(i)*time.Minute), 365*day))
	}
	for _, current := range []testCA{cas[0], cas[len(cas)-1]} {
		got := parse(rule.bundle(pemOf(cas...), current.Certificate, nil, epoch.Add(day)))
		if len(got) != maxCAs {
			t.Errorf("%d CAs in the bundle, want %d", len(got), maxCAs)
		}
		if !slices.ContainsFunc(got, current.Equal) {
			t.Error("the current CA was dropped")
		}
	}
}
