package bridge

import (
	"net/netip"
	"testing"
)

func TestFree(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		seed [2]byte
		used []string
		want string
	}{
		"with nothing in use, the seed decides":         {[2]byte{0, 7}, nil, "10.192.7.0/24"},
		"what is in use is passed over":                 {[2]byte{0, 7}, []string{"10.192.7.0/24"}, "10.192.8.0/24"},
		"a part that is in use is passed over":          {[2]byte{0, 7}, []string{"10.192.7.128/25"}, "10.192.8.0/24"},
		"a larger network that is in use is left alone": {[2]byte{0, 0}, []string{"10.192.0.0/12"}, "10.208.0.0/24"},
		"the search starts again at the pool's start":   {[2]byte{0x1f, 0xff}, []string{"10.223.255.0/24"}, "10.192.0.0/24"},
		"a seed beyond the pool counts within it":       {[2]byte{0xff, 0xff}, nil, "10.223.255.0/24"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var used []netip.Prefix
			for _, text := range test.used {
				used = append(used, netip.MustParsePrefix(text))
			}
			got, err := free(test.seed, used)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	if got, err := free([2]byte{}, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}); err == nil {
		t.Errorf("with all of the pool in use, got %s", got)
	}
}

const routes = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
`

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := parse(routes)
	if err != nil {
		t.Fatal(err)
	}
	// The table above is a little-endian machine's, as all are that this is built for.
	if len(got) != 1 || got[0].String() != "192.0.2.0/24" {
		t.Errorf("got %v, want the one network without the default route", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(routes)
	f.Add("")
	f.Add("titles\nshort row\n")
	f.Fuzz(func(t *testing.T, table string) {
		found, err := parse(table)
		for _, p := range found {
			if err == nil && !p.IsValid() {
				t.Errorf("%q: an invalid network", table)
			}
		}
	})
}
