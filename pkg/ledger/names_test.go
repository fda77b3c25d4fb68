package ledger

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
)

func TestBudgetNames(t *testing.T) {
	t.Parallel()
	const le = "acme-v02.api.letsencrypt.org"
	seen := map[string]string{}
	for sentence, c := range map[string]struct{ ca, domain, account, want string }{
		"a domain's budget can be read":          {le, "example.com", "", "example.com--acme-v02.api.letsencrypt.org"},
		"another domain is another budget":       {le, "example.org", "", "example.org--acme-v02.api.letsencrypt.org"},
		"an account's budget is named by a hash": {le, "", "https://acme-v02.api.letsencrypt.org/acme/acct/1", ""},
		"another account is another budget":      {le, "", "https://acme-v02.api.letsencrypt.org/acme/acct/2", ""},
		"a wildcard on a suffix":                 {le, "*.github.io", "", ""},
		"an IPv4 prefix":                         {le, "203.0.113.7/32", "", ""},
		"an IPv6 prefix":                         {le, "2001:db8::/64", "", ""},
		"a directory with a port":                {"localhost:14000", "example.com", "", ""},
		"a directory at an IPv6 address":         {"[::1]:14000", "example.com", "", ""},
		"a name as long as they come":            {le, strings.Repeat("a.", 126) + "b", "", ""},
		"another one that begins the same":       {le, strings.Repeat("a.", 126) + "c", "", ""},
		"dots and hyphens in odd places":         {le, "-.a..b.-", "", ""},
		"nothing":                                {"", "", "", ""},
	} {
		got := BudgetName(c.ca, c.domain, c.account)
		if c.want != "" && got != c.want {
			t.Errorf("%s: %q, want %q", sentence, got, c.want)
		}
		if why := validation.IsDNS1123Subdomain(got); len(why) > 0 {
			t.Errorf("%s: %q is no name of an object: %v", sentence, got, why)
		}
		if other, dup := seen[got]; dup {
			t.Errorf("%s and %s have one name, %q", sentence, other, got)
		}
		seen[got] = sentence
	}
}

func FuzzBudgetName(f *testing.F) {
	f.Add("acme-v02.api.letsencrypt.org", "example.com", "")
	f.Add("localhost:14000", "*.github.io", "https://x/1")
	f.Fuzz(func(t *testing.T, ca, domain, account string) {
		got := BudgetName(ca, domain, account)
		if why := validation.IsDNS1123Subdomain(got); len(why) > 0 {
			t.Fatalf("%q: %v", got, why)
		}
	})
}
