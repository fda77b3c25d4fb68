package acme

import (
	"slices"
	"testing"
	"time"
)

const (
	letsEncrypt        = "https://acme-v02.api.letsencrypt.org/directory"
	letsEncryptStaging = "https://acme-staging-v02.api.letsencrypt.org/directory"
)

func serviceAt(t *testing.T, url string, more ...CA) (Service, bool) {
	t.Helper()
	directories, err := NewDirectories(append(KnownCAs(), more...)...)
	if err != nil {
		t.Fatal(err)
	}
	return directories.Service(url)
}

func TestLetsEncrypt(t *testing.T) {
	t.Parallel()
	s, ok := serviceAt(t, letsEncrypt)
	if !ok || s.Host != "acme-v02.api.letsencrypt.org" || s.CA != "Let's Encrypt" || s.Stage != Production {
		t.Fatalf("Service = %+v, %t", s, ok)
	}
	for sentence, c := range map[string]struct {
		got, want time.Duration
	}{
		"an order comes back in 36 s":                           {s.Limits.NewOrders.EmissionInterval(), 36 * time.Second},
		"a failed authorization in 12 min":                      {s.Limits.FailedAuthorizations.EmissionInterval(), 12 * time.Minute},
		"a certificate of a domain in 3h21m36s":                 {s.Limits.CertificatesPerDomain.EmissionInterval(), 12096 * time.Second},
		"a certificate of a set in 33h36m":                      {s.Limits.CertificatesPerSet.EmissionInterval(), 120960 * time.Second},
		"a set issued within 120 days is a renewal":             {s.RenewalExemption(), 120 * 24 * time.Hour},
		"a certificate begins an hour before, less a minute or": {s.Backdate, 58*time.Minute + 30*time.Second},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if c.got != c.want {
				t.Errorf("it is %v, want %v", c.got, c.want)
			}
		})
	}
	staging, ok := serviceAt(t, letsEncryptStaging)
	if !ok || staging.Stage != Staging || staging.Limits.CertificatesPerSet.Burst != 30000 || staging.Limits.NewOrders.Burst != 1500 {
		t.Errorf("staging's Service = %+v, %t", staging, ok)
	}
}

func TestLifetime(t *testing.T) {
	t.Parallel()
	production, _ := serviceAt(t, letsEncrypt)
	staging, _ := serviceAt(t, letsEncryptStaging)
	at := func(year int, month time.Month, d int) time.Time {
		return time.Date(year, month, d, 0, 0, 0, 0, time.UTC)
	}
	for sentence, c := range map[string]struct {
		service Service
		profile string
		at      time.Time
		want    time.Duration
	}{
		"today a certificate is valid for 90 days":       {production, "", noon, 90 * day},
		"the default profile is the classic one":         {production, "classic", noon, 90 * day},
		"a nanosecond before the change it is 90 still":  {production, "", at(2027, 2, 10).Add(-1), 90 * day},
		"from February 2027 on it is 64":                 {production, "", at(2027, 2, 10), 64 * day},
		"from February 2028 on it is 45":                 {production, "", at(2028, 2, 16), 45 * day},
		"tlsserver is 45 since May 2026":                 {production, "tlsserver", at(2026, 5, 13), 45 * day},
		"and was 90 before":                              {production, "tlsserver", at(2026, 5, 12), 90 * day},
		"shortlived is 160 hours":                        {production, "shortlived", noon, 160 * time.Hour},
		"staging changes a month earlier":                {staging, "", at(2027, 1, 10), 64 * day},
		"of a profile that the CA does not have nothing": {production, "tlsclient", noon, 0},
		"of a CA that is not known neither":              {Service{}, "", noon, 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got, ok := c.service.Lifetime(c.profile, c.at); got != c.want || ok != (c.want > 0) {
				t.Errorf("Lifetime(%q, %v) = %v, %t; want %v", c.profile, c.at, got, ok, c.want)
			}
		})
	}
	changes := production.Changes("", noon)
	if want := []Lifetime{{at(2027, 2, 10), 64 * day}, {at(2028, 2, 16), 45 * day}}; !slices.Equal(changes, want) {
		t.Errorf("Changes = %v, want %v", changes, want)
	}
	if got := production.Changes("shortlived", time.Time{}); got != nil {
		t.Errorf("Changes of shortlived = %v", got)
	}
	if got := production.Changes("classic", at(2028, 2, 16)); got != nil {
		t.Errorf("Changes after the last = %v", got)
	}
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	s, _ := serviceAt(t, letsEncrypt)
	for _, c := range []struct {
		name      string
		maxNames  int
		addresses bool
	}{{"", 100, false}, {"classic", 100, false}, {"tlsserver", 25, false}, {"shortlived", 25, true}} {
		if p, ok := s.ProfileOf(c.name); !ok || p.MaxNames != c.maxNames || p.IPAddresses != c.addresses {
			t.Errorf("ProfileOf(%q) = %+v, %t", c.name, p, ok)
		}
	}
	if p, ok := s.ProfileOf("tlsclient"); ok {
		t.Errorf("the profile that ended in July 2026 is %+v", p)
	}
}

func TestServiceOfAConfiguredCA(t *testing.T) {
	t.Parallel()
	limits := &Limits{CertificatesPerDomain: Limit{Count: 20, Burst: 20, Period: week}}
	corp := CA{Name: "Corp", Production: []string{"acme.corp.example"}, Staging: []string{"test.corp.example"}, Limits: limits, Backdate: time.Minute, Lifetime: 30 * day}
	raised := CA{Name: "Let's Encrypt", Production: []string{"acme-v02.api.letsencrypt.org"}, Limits: limits}
	moved := CA{Name: "Ours", Staging: []string{"acme-v02.api.letsencrypt.org"}}
	for sentence, c := range map[string]struct {
		url      string
		ca       CA
		ok       bool
		perWeek  int64
		lifetime time.Duration
		exempt   time.Duration
	}{
		"a CA gets the limits that it is given":                    {"https://acme.corp.example/x", corp, true, 20, 30 * day, 0},
		"its staging directory has none":                           {"https://test.corp.example/x", corp, false, 0, 0, 0},
		"a CA that is only named has none":                         {"https://acme.zerossl.com/v2/DV90", corp, false, 0, 0, 0},
		"a host that nobody listed has none":                       {"https://pebble:14000/dir", corp, false, 0, 0, 0},
		"nor has a URL without a host":                             {"pebble", corp, false, 0, 0, 0},
		"an override replaces the limits and leaves what is known": {letsEncrypt, raised, true, 20, 90 * day, 120 * day},
		"a host that is called staging is as limited as before":    {letsEncrypt, moved, true, 50, 90 * day, 120 * day},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s, ok := serviceAt(t, c.url, c.ca)
			lifetime, _ := s.Lifetime("", noon)
			if ok != c.ok || s.Limits.CertificatesPerDomain.Burst != c.perWeek || lifetime != c.lifetime || s.RenewalExemption() != c.exempt {
				t.Errorf("Service(%q) = %+v, %t", c.url, s, ok)
			}
			if ok && s.CA != c.ca.Name {
				t.Errorf("it is called %q", s.CA)
			}
		})
	}
	known, _ := serviceAt(t, letsEncrypt, raised)
	if p, ok := known.ProfileOf("shortlived"); !ok || p.MaxNames != 25 {
		t.Errorf("after an override shortlived is %+v, %t", p, ok)
	}
	shorter := raised
	shorter.Lifetime = 47 * day
	if s, _ := serviceAt(t, letsEncrypt, shorter); len(s.Profiles) != 3 || len(s.Profiles[0].Lifetimes) != 1 || s.Profiles[0].MaxNames != 100 {
		t.Errorf("after a configured lifetime the profiles are %+v", s.Profiles)
	}
	if _, err := NewDirectories(CA{Name: "Corp", Limits: &Limits{NewOrders: Limit{Count: 5}}}); err == nil {
		t.Error("half a limit was accepted")
	}
}
