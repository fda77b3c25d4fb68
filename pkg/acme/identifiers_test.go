package acme

import (
	"slices"
	"strings"
	"testing"
)

func TestNormalizeIdentifiers(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct{ in, want []string }{
		"nothing stays nothing":                  {nil, nil},
		"case does not count":                    {[]string{"WWW.Example.com"}, []string{"www.example.com"}},
		"order does not count":                   {[]string{"b.example", "a.example"}, []string{"a.example", "b.example"}},
		"repetition does not count":              {[]string{"a.example", "A.example"}, []string{"a.example"}},
		"addresses come last":                    {[]string{"64.112.117.1", "www.example.com"}, []string{"www.example.com", "64.112.117.1"}},
		"addresses have one form":                {[]string{"2602:080A:6000:0::1"}, []string{"2602:80a:6000::1"}},
		"an IPv4 address in IPv6's form is IPv4": {[]string{"::ffff:64.112.117.1", "64.112.117.1"}, []string{"64.112.117.1"}},
		"addresses are in bytewise order":        {[]string{"9.9.9.9", "10.1.1.1"}, []string{"10.1.1.1", "9.9.9.9"}},
		"a wildcard is a name like any other":    {[]string{"example.com", "*.example.com"}, []string{"*.example.com", "example.com"}},
		"what is no name stays as it is":         {[]string{" a ", ""}, []string{"", " a "}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			before := slices.Clone(c.in)
			if got := NormalizeIdentifiers(c.in); !slices.Equal(got, c.want) {
				t.Errorf("NormalizeIdentifiers(%q) = %q, want %q", c.in, got, c.want)
			}
			if !slices.Equal(c.in, before) {
				t.Errorf("the input became %q", c.in)
			}
		})
	}
}

func TestSetKey(t *testing.T) {
	t.Parallel()
	// What sha256sum makes of "example.com,www.example.com".
	const pair = "65825d50db221df1768452c68de1c2870728a93bbfc9ca90648b733b7bb6b046"
	if got := SetKey([]string{"www.EXAMPLE.com", "example.com", "example.com"}); got != pair {
		t.Errorf("SetKey = %q, want %q", got, pair)
	}
	if SetKey([]string{"example.com"}) == SetKey([]string{"*.example.com"}) {
		t.Error("a wildcard is the same set as its domain")
	}
}

func TestRegisteredDomain(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct{ in, want string }{
		"a name counts under its registered domain":                   {"a.b.example.com", "example.com"},
		"a registered domain is itself":                               {"example.com", "example.com"},
		"case does not count":                                         {"WWW.Example.COM", "example.com"},
		"a suffix may have two labels":                                {"www.example.co.uk", "example.co.uk"},
		"each user of a private suffix has a domain":                  {"www.one.github.io", "one.github.io"},
		"previews of one platform too":                                {"pr-7.vercel.app", "pr-7.vercel.app"},
		"a public suffix is itself":                                   {"github.io", "github.io"},
		"a top-level domain too":                                      {"com", "com"},
		"a wildcard counts under its domain":                          {"*.example.com", "example.com"},
		"a wildcard below it too":                                     {"*.dev.example.com", "example.com"},
		"a wildcard of a suffix is itself":                            {"*.github.io", "*.github.io"},
		"a rule with a wildcard makes the label a suffix":             {"a.b.ck", "a.b.ck"},
		"an exception to it does not":                                 {"a.www.ck", "www.ck"},
		"a name in another script counts as its ASCII":                {"a.xn--bcher-kva.example.net", "example.net"},
		"a top-level domain nobody knows is a suffix":                 {"db.prod.internal", "prod.internal"},
		"an IPv4 address is alone":                                    {"64.112.117.1", "64.112.117.1/32"},
		"IPv6 addresses count by their /64":                           {"2602:80a:6000:1:2:3:4:5", "2602:80a:6000:1::/64"},
		"what cannot be read is itself":                               {".Example.com", ".example.com"},
		"nothing is nothing":                                          {"", ""},
		"an IPv4 address in IPv6's form is alone too":                 {"::ffff:64.112.117.1", "64.112.117.1/32"},
		"a domain below a suffix with a dash is not cut elsewhere":    {"x.not-example.com", "not-example.com"},
		"a name that only ends like a private suffix is not below it": {"mygithub.io", "mygithub.io"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := RegisteredDomain(c.in); got != c.want {
				t.Errorf("RegisteredDomain(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
	want := []string{"64.112.117.1/32", "example.com", "example.org"}
	if got := CoveringDomains([]string{"b.example.org", "64.112.117.1", "example.com", "*.example.com"}); !slices.Equal(got, want) {
		t.Errorf("CoveringDomains = %q, want %q", got, want)
	}
}

func FuzzRegisteredDomain(f *testing.F) {
	for _, seed := range []string{"www.example.co.uk", "*.github.io", "github.io", "2602:80a::1", "..", "\xff.com", "fe80::1%eth0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		domain := RegisteredDomain(name)
		if strings.ToLower(domain) != domain {
			t.Errorf("RegisteredDomain(%q) = %q, which is not in lower case", name, domain)
		}
		if _, bad := CheckName(name); bad {
			return
		}
		if again := RegisteredDomain(domain); again != domain {
			t.Errorf("RegisteredDomain(%q) = %q, whose own is %q", name, domain, again)
		}
		if lower := strings.ToLower(name); lower != domain && !strings.HasSuffix(lower, "."+domain) {
			t.Errorf("RegisteredDomain(%q) = %q, which is no part of it", name, domain)
		}
	})
}

func FuzzSetKey(f *testing.F) {
	f.Add("example.com", "www.example.com", "64.112.117.1")
	f.Add("", "a,b", "A,b")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		key := SetKey([]string{a, b, c})
		if len(key) != 64 || strings.Trim(key, "0123456789abcdef") != "" {
			t.Errorf("SetKey = %q", key)
		}
		for _, same := range [][]string{{c, b, a}, {b, a, c, b}, NormalizeIdentifiers([]string{a, b, c})} {
			if got := SetKey(same); got != key {
				t.Errorf("SetKey(%q) = %s, but of %q it is %s", same, got, []string{a, b, c}, key)
			}
		}
	})
}
