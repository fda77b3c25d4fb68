package acme

import "testing"

func TestCheckIP(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct{ in, want string }{
		"a public address is fine":                    {"64.112.117.1", ""},
		"a public IPv6 address is fine":               {"2602:80a:6000::1", ""},
		"in any spelling":                             {"2602:080A:6000:0:0:0:0:1", ""},
		"a private address is refused":                {"10.96.0.1", "is in 10.0.0.0/8 (private use), which no public CA issues for"},
		"in IPv6's form too":                          {"::ffff:10.96.0.1", "is in 10.0.0.0/8 (private use), which no public CA issues for"},
		"a service network in fd00 is refused":        {"fd00:10:96::1", "is in fc00::/7 (unique local), which no public CA issues for"},
		"a zone does not hide a link-local address":   {"fe80::1%eth0", "is in fe80::/10 (link-local), which no public CA issues for"},
		"what is no address is refused":               {"example.com", "is not an IP address"},
		"so is an address with a port":                {"64.112.117.1:443", "is not an IP address"},
		"and a network":                               {"64.112.117.0/24", "is not an IP address"},
		"the last address before a block is fine":     {"9.255.255.255", ""},
		"and the first one after it":                  {"11.0.0.0", ""},
		"an address in a documentation block is not":  {"2001:db8::1", "is in 2001:db8::/32 (documentation), which no public CA issues for"},
		"one of the blocks within protocol addresses": {"2001:20::1", "is in 2001::/23 (protocol assignments), which no public CA issues for"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if problem, found := CheckIP(c.in); problem.Why != c.want || found != (c.want != "") {
				t.Errorf("CheckIP(%q) = %+v, %t; want %q", c.in, problem, found, c.want)
			}
		})
	}
}
