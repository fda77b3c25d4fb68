package acme

import (
	"errors"
	"testing"
)

func TestHost(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct{ in, want string }{
		"a directory URL gives its host":                {"https://acme-v02.api.letsencrypt.org/directory", "acme-v02.api.letsencrypt.org"},
		"upper case does not hide a host":               {"HTTPS://ACME-V02.API.LetsEncrypt.ORG/directory", "acme-v02.api.letsencrypt.org"},
		"the default port does not hide a host":         {"https://acme-v02.api.letsencrypt.org:443/directory", "acme-v02.api.letsencrypt.org"},
		"a trailing dot does not hide a host":           {"https://acme-v02.api.letsencrypt.org./directory", "acme-v02.api.letsencrypt.org"},
		"dot and port together do not hide a host":      {"https://acme-v02.api.letsencrypt.org.:443/x?y#z", "acme-v02.api.letsencrypt.org"},
		"user information does not hide a host":         {"https://staging@acme-v02.api.letsencrypt.org/directory", "acme-v02.api.letsencrypt.org"},
		"white space around the URL does not hide it":   {" https://acme-v02.api.letsencrypt.org/directory\n", "acme-v02.api.letsencrypt.org"},
		"leading zeros do not hide the default port":    {"https://acme-v02.api.letsencrypt.org:0443/directory", "acme-v02.api.letsencrypt.org"},
		"full-width letters do not hide a host":         {"https://acme-v02.api.\uff4cetsencrypt.org/directory", "acme-v02.api.letsencrypt.org"},
		"ideographic full stops do not hide a host":     {"https://acme-v02\u3002api\u3002letsencrypt\u3002org/directory", "acme-v02.api.letsencrypt.org"},
		"a host in another script gets its ASCII form":  {"https://b\u00fccher.example/dir", "xn--bcher-kva.example"},
		"another port is another server":                {"https://localhost:14000/dir", "localhost:14000"},
		"an IPv6 address keeps its brackets":            {"https://[::1]:14000/dir", "[::1]:14000"},
		"a host in the path is not the directory's":     {"https://pebble.test/acme-v02.api.letsencrypt.org", "pebble.test"},
		"a lookalike that only ends the same is itself": {"https://notacme-v02.api.letsencrypt.org/directory", "notacme-v02.api.letsencrypt.org"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			got, err := Host(c.in)
			if err != nil || got != c.want {
				t.Errorf("Host(%q) = %q, %v; want %q", c.in, got, err, c.want)
			}
		})
	}
}

func TestHostRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", "   ", "acme-v02.api.letsencrypt.org/directory", "https://", "https://./", "https:///directory"} {
		if got, err := Host(in); !errors.Is(err, ErrNoHost) {
			t.Errorf("Host(%q) = %q, %v; want ErrNoHost", in, got, err)
		}
	}
	if _, err := Host("https://a b/%zz"); err == nil {
		t.Error("a URL that cannot be parsed was accepted")
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	dirs, err := NewDirectories(append(KnownCAs(), CA{Name: "Corp", Production: []string{"https://acme.corp.example:8443/x"}, Staging: []string{"acme.ssl.com"}})...)
	if err != nil {
		t.Fatal(err)
	}
	for sentence, c := range map[string]struct {
		in   string
		want Directory
	}{
		"Let's Encrypt's current directory is production":       {"https://acme-v02.api.letsencrypt.org/directory", Directory{"acme-v02.api.letsencrypt.org", "Let's Encrypt", Production}},
		"Let's Encrypt's first directory is production":         {"https://acme-v01.api.letsencrypt.org/directory", Directory{"acme-v01.api.letsencrypt.org", "Let's Encrypt", Production}},
		"Let's Encrypt's staging directory is staging":          {"https://acme-staging-v02.api.letsencrypt.org/directory", Directory{"acme-staging-v02.api.letsencrypt.org", "Let's Encrypt", Staging}},
		"any path of a production host is production":           {"https://acme.zerossl.com/v2/DV90", Directory{"acme.zerossl.com", "ZeroSSL", Production}},
		"a configured authority is known by URL":                {"https://acme.corp.example:8443/other", Directory{"acme.corp.example:8443", "Corp", Production}},
		"a configured authority may re-classify a host":         {"https://acme.ssl.com/sslcom-dv-ecc", Directory{"acme.ssl.com", "Corp", Staging}},
		"a host nobody listed is unknown":                       {"https://pebble:14000/dir", Directory{"pebble:14000", "", Unknown}},
		"a URL that names no host is unknown and has no host":   {"letsencrypt", Directory{"", "", Unknown}},
		"a production host at another port is not that service": {"https://acme-v02.api.letsencrypt.org:14000/dir", Directory{"acme-v02.api.letsencrypt.org:14000", "", Unknown}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := dirs.Lookup(c.in); got != c.want {
				t.Errorf("Lookup(%q) = %+v, want %+v", c.in, got, c.want)
			}
		})
	}
}

func TestPublicCA(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"acme-v02.api.letsencrypt.org": LetsEncrypt, "acme-staging-v02.api.letsencrypt.org": LetsEncrypt, "acme.zerossl.com": "ZeroSSL",
		"acme.corp.example": "", "": "",
	} {
		if got := PublicCA(host); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}

func TestNewDirectoriesRefusesContradictions(t *testing.T) {
	t.Parallel()
	if _, err := NewDirectories(CA{Name: "x", Production: []string{"a.example"}, Staging: []string{"A.example:443"}}); err == nil {
		t.Error("one host as production and staging was accepted")
	}
	if _, err := NewDirectories(CA{Name: "x", Production: []string{""}}); err == nil {
		t.Error("an empty host was accepted")
	}
}

func FuzzHost(f *testing.F) {
	f.Add("https://acme-v02.api.letsencrypt.org:443./directory")
	f.Add("https://[::1]:14000/dir")
	f.Add("//Ӏ") // a capital that IDNA refuses, of a small letter that it takes
	f.Fuzz(func(t *testing.T, in string) {
		host, err := Host(in)
		if err != nil {
			return
		}
		again, err := Host("https://" + host + "/")
		if err == nil && again != host {
			t.Errorf("Host(%q) = %q, which is %q when normalised again", in, host, again)
		}
	})
}
