package acme

import (
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct{ in, want string }{
		"a public name is fine":                      {"www.example.com", ""},
		"upper case is fine, the CA lowers it":       {"WWW.Example.com", ""},
		"a wildcard is fine":                         {"*.example.com", ""},
		"a name of a private suffix is fine":         {"github.io", ""},
		"a wildcard of a private suffix is fine":     {"*.github.io", ""},
		"a name in its ASCII form is fine":           {"xn--bcher-kva.example.com", ""},
		"ten labels are fine":                        {"a.b.c.d.e.f.g.h.example.com", ""},
		"nothing is refused":                         {"", "is empty"},
		"a space left over is refused":               {" example.com", "has a space in it"},
		"a name in another script is told its ASCII": {"www.b\u00fccher.com", "is not in its ASCII form, which is www.xn--bcher-kva.com"},
		"a character with no ASCII form is refused":  {"a\ufffd.com", "has the character '\ufffd', which is not ASCII"},
		"an underscore is refused":                   {"_acme.example.com", "has the character '_', which a DNS name cannot have"},
		"a port is refused":                          {"example.com:443", "has the character ':', which a DNS name cannot have"},
		"an address is refused":                      {"64.112.117.1", "is an IP address, which belongs with the IP addresses and not with the DNS names"},
		"an IPv6 address too":                        {"2602:80a::1", "is an IP address, which belongs with the IP addresses and not with the DNS names"},
		"a trailing dot is refused":                  {"example.com.", "ends in a dot"},
		"a leading dot is refused":                   {".example.com", "begins with a dot"},
		"an empty label is refused":                  {"a..example.com", "has two dots in a row"},
		"a single label is refused":                  {"localhost", "has no dot in it, so it is not a public name"},
		"eleven labels are refused":                  {"a.b.c.d.e.f.g.h.i.example.com", "has more than 10 labels"},
		"a long label is refused":                    {strings.Repeat("a", 64) + ".com", "has a label longer than 63 characters"},
		"a long name is refused":                     {strings.Repeat(strings.Repeat("a", 62)+".", 4) + "com", "is longer than 253 characters"},
		"a leading hyphen is refused":                {"-a.example.com", "has a label that begins or ends with a hyphen (-a)"},
		"a trailing hyphen is refused":               {"a-.example.com", "has a label that begins or ends with a hyphen (a-)"},
		"a reserved label is refused":                {"r3--sn.example.com", "has a label with two hyphens where only xn-- may have them (r3--sn)"},
		"bad punycode is refused":                    {"xn--zz-99999.example.com", "has a label that is not valid punycode (xn--zz-99999)"},
		"a cluster's own name is refused":            {"api.default.svc.cluster.local", "has no public suffix (.local is not a public top-level domain)"},
		"an internal name is refused":                {"db.prod.internal", "has no public suffix (.internal is not a public top-level domain)"},
		"a public suffix is refused":                 {"co.uk", "is a public suffix"},
		"a suffix by a wildcard rule too":            {"anything.ck", "is a public suffix"},
		"a wildcard of a public suffix is refused":   {"*.co.uk", "is a wildcard for a public suffix"},
		"a wildcard of a top-level domain too":       {"*.com", "is a wildcard for a whole top-level domain"},
		"a wildcard within is refused":               {"a.*.example.com", `has a wildcard that is not the whole first label, as in "*.example.com"`},
		"a wildcard for a part of a label too":       {"a*.example.com", `has a wildcard that is not the whole first label, as in "*.example.com"`},
		"two wildcards are refused":                  {"*.*.example.com", "has more than one wildcard"},
		"a lone wildcard is refused":                 {"*", `has a wildcard that is not the whole first label, as in "*.example.com"`},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			problem, found := CheckName(c.in)
			if found != (c.want != "") || problem.Why != c.want {
				t.Errorf("CheckName(%q) = %q, %t; want %q", c.in, problem.Why, found, c.want)
			}
			if found && (problem.Name != c.in || !strings.HasSuffix(problem.String(), problem.Why)) {
				t.Errorf("CheckName(%q) tells of %q: %s", c.in, problem.Name, problem)
			}
		})
	}
}

func TestRedundantWithWildcard(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		in             []string
		name, wildcard string
	}{
		"a name beside its wildcard is redundant":       {[]string{"a.example.com", "*.example.com"}, "a.example.com", "*.example.com"},
		"whatever the case":                             {[]string{"*.EXAMPLE.com", "A.example.com"}, "a.example.com", "*.example.com"},
		"the domain beside its wildcard is not":         {[]string{"example.com", "*.example.com"}, "", ""},
		"a name two labels below is not":                {[]string{"a.b.example.com", "*.example.com"}, "", ""},
		"a wildcard below a wildcard is not":            {[]string{"*.a.example.com", "*.example.com"}, "", ""},
		"another domain's name is not":                  {[]string{"a.example.org", "*.example.com"}, "", ""},
		"of several the first one is told":              {[]string{"c.example.com", "*.example.com", "b.example.com"}, "b.example.com", "*.example.com"},
		"without a wildcard nothing is":                 {[]string{"a.example.com", "b.example.com"}, "", ""},
		"an address has no wildcard":                    {[]string{"64.112.117.1", "*.112.117.1"}, "64.112.117.1", "*.112.117.1"},
		"nothing is redundant in nothing":               {nil, "", ""},
		"a single label has no wildcard to be below of": {[]string{"com", "*.com"}, "", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			name, wildcard, ok := RedundantWithWildcard(c.in)
			if name != c.name || wildcard != c.wildcard || ok != (c.name != "") {
				t.Errorf("RedundantWithWildcard(%q) = %q, %q, %t", c.in, name, wildcard, ok)
			}
		})
	}
}

func TestCheckKey(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		algorithm string
		size      int
		want      string
	}{
		"what is not said is RSA 2048, which is fine": {"", 0, ""},
		"RSA 2048 is fine":                            {"RSA", 2048, ""},
		"RSA 3072 is fine":                            {"RSA", 3072, ""},
		"RSA 4096 is fine":                            {"RSA", 4096, ""},
		"ECDSA without a size is P-256":               {"ECDSA", 0, ""},
		"P-384 is fine":                               {"ECDSA", 384, ""},
		"RSA 8192 is refused":                         {"RSA", 8192, "is RSA of 8192 bits, but Let's Encrypt signs only 2048, 3072 and 4096"},
		"P-521 is refused":                            {"ECDSA", 521, "is ECDSA of 521 bits, but Let's Encrypt signs only P-256 and P-384"},
		"Ed25519 is refused":                          {"Ed25519", 0, "is Ed25519, but Let's Encrypt signs only RSA and ECDSA"},
		"so is what nobody has heard of":              {"DSA", 1024, "is DSA, but Let's Encrypt signs only RSA and ECDSA"},
		"and RSA of a size nobody would use":          {"", 1024, "is RSA of 1024 bits, but Let's Encrypt signs only 2048, 3072 and 4096"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if why, ok := CheckKey(c.algorithm, c.size); why != c.want || ok != (c.want == "") {
				t.Errorf("CheckKey(%q, %d) = %q, %t; want %q", c.algorithm, c.size, why, ok, c.want)
			}
		})
	}
}

func FuzzCheckName(f *testing.F) {
	for _, seed := range []string{"www.example.com", "*.example.com", "*.*.com", "xn--zz-99999.com", "b\u00fccher.de", "a..b", "\xff", "1.2.3.4", "."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		problem, found := CheckName(name)
		if found == (problem.Why == "") {
			t.Errorf("CheckName(%q) = %+v, %t", name, problem, found)
		}
		if lower, same := CheckName(strings.ToLower(name)); same != found || lower.Why != problem.Why {
			t.Errorf("CheckName(%q) = %+v, but in lower case %+v", name, problem, lower)
		}
		if !found && len(name) > len("*.")+253 {
			t.Errorf("CheckName(%q) finds nothing wrong with %d bytes", name, len(name))
		}
	})
}
