package acme

import (
	"strings"
	"testing"
	"time"
)

func TestParseRateLimited(t *testing.T) {
	t.Parallel()
	const (
		now   = "Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: "
		old   = "429 urn:ietf:params:acme:error:rateLimited: Error creating new order :: "
		see   = ": see https://letsencrypt.org/docs/rate-limits/"
		until = ", retry after 2026-08-05 12:00:00 UTC" + see
	)
	year24 := time.Date(2024, time.February, 3, 4, 5, 6, 0, time.UTC)
	for sentence, c := range map[string]struct {
		text string
		want RateLimited
	}{
		"a set of names, as it is told now": {
			now + "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s" + until,
			RateLimited{Limit: CertificatesPerSet, Burst: 5, Period: week, RetryAfter: noon},
		},
		"a set of names in late 2024": {
			now + "too many certificates (5) already issued for this exact set of domains in the last 168h0m0s" + until,
			RateLimited{Limit: CertificatesPerSet, Burst: 5, Period: week, RetryAfter: noon},
		},
		"a set of names from 2022 on": {
			old + "too many certificates (5) already issued for this exact set of domains in the last 168 hours: www.example.com, retry after 2024-02-03T04:05:06Z" + see,
			RateLimited{Limit: CertificatesPerSet, Burst: 5, Period: week, RetryAfter: year24},
		},
		"a set of names before that": {
			old + "too many certificates already issued for exact set of domains: a.example.com,b.example.com" + see,
			RateLimited{Limit: CertificatesPerSet},
		},
		"a domain, as it is told now": {
			now + `too many certificates (50) already issued for "example.co.uk" in the last 168h0m0s` + until,
			RateLimited{Limit: CertificatesPerDomain, Value: "example.co.uk", Burst: 50, Period: week, RetryAfter: noon},
		},
		"an address": {
			now + `too many certificates (50) already issued for "64.112.117.1/32" in the last 168h0m0s` + until,
			RateLimited{Limit: CertificatesPerDomain, Value: "64.112.117.1/32", Burst: 50, Period: week, RetryAfter: noon},
		},
		"a domain from 2022 on": {
			old + `too many certificates already issued for "example.com". Retry after 2024-02-03T04:05:06Z` + see,
			RateLimited{Limit: CertificatesPerDomain, Value: "example.com", RetryAfter: year24},
		},
		"several domains from 2022 on": {
			old + `too many certificates already issued for multiple names ("example.com" and 2 others). Retry after 2024-02-03T05:05:06+01:00` + see,
			RateLimited{Limit: CertificatesPerDomain, Value: "example.com", RetryAfter: year24},
		},
		"a domain before that": {
			old + "too many certificates already issued for: example.com" + see,
			RateLimited{Limit: CertificatesPerDomain, Value: "example.com"},
		},
		"several domains before that": {
			old + "too many certificates already issued for multiple names (example.com and 2 others)" + see,
			RateLimited{Limit: CertificatesPerDomain, Value: "example.com"},
		},
		"failed authorizations, as it is told now": {
			now + `too many failed authorizations (5) for "www.example.com" in the last 1h0m0s` + until,
			RateLimited{Limit: FailedAuthorizations, Value: "www.example.com", Burst: 5, Period: time.Hour, RetryAfter: noon},
		},
		"failed authorizations before that": {
			old + "too many failed authorizations recently" + see, RateLimited{Limit: FailedAuthorizations},
		},
		"an account's orders, as it is told now": {
			now + "too many new orders (300) from this account in the last 3h0m0s" + until,
			RateLimited{Limit: NewOrdersPerAccount, Burst: 300, Period: 3 * time.Hour, RetryAfter: noon},
		},
		"an account's orders before that": {
			old + "too many new orders recently" + see, RateLimited{Limit: NewOrdersPerAccount},
		},
		"new accounts": {
			"429 urn:ietf:params:acme:error:rateLimited: too many new registrations (10) from this IP address in the last 3h0m0s" + until,
			RateLimited{Limit: NewRegistrations, Burst: 10, Period: 3 * time.Hour, RetryAfter: noon},
		},
		"new accounts of a network": {
			"too many new registrations (500) from this /48 subnet of IPv6 addresses in the last 3h0m0s" + until,
			RateLimited{Limit: NewRegistrations, Burst: 500, Period: 3 * time.Hour, RetryAfter: noon},
		},
		"new accounts before that": {
			"too many registrations for this IP" + see, RateLimited{Limit: NewRegistrations},
		},
		"paused names": {
			now + "Your account is temporarily prevented from requesting certificates for a.example.com, b.example.com and possibly others. Please visit: https://portal.letsencrypt.org/unpause?jwt=x",
			RateLimited{Paused: true, Value: "a.example.com, b.example.com"},
		},
		"another CA's words": {
			now + "slow down, retry after 2026-08-05T12:00:00Z", RateLimited{RetryAfter: noon},
		},
		"a time that is none": {
			now + "too many new orders (300) from this account in the last 3h0m0s, retry after 2026-13-05 12:00:00 UTC" + see,
			RateLimited{Limit: NewOrdersPerAccount, Burst: 300, Period: 3 * time.Hour},
		},
		"a burst that is none": {
			now + "too many new orders (99999999999999999999) from this account in the last for ever",
			RateLimited{Limit: NewOrdersPerAccount},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got, ok := ParseRateLimited(c.text); !ok || got != c.want {
				t.Errorf("%q\nis read as %+v, %t\nwant       %+v", c.text, got, ok, c.want)
			}
		})
	}
	for _, text := range []string{
		"", "429", "Failed to finalize Order: 403 urn:ietf:params:acme:error:orderNotReady: no",
		"Failed to create Order: 400 urn:ietf:params:acme:error:rejectedIdentifier: Cannot issue for \"x\"",
		"too many certificates",
	} {
		if got, ok := ParseRateLimited(text); ok {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}

func FuzzParseRateLimited(f *testing.F) {
	f.Add(`urn:ietf:params:acme:error:rateLimited: too many certificates (50) already issued for "example.com" in the last 168h0m0s, retry after 2026-08-05 12:00:00 UTC: see x`)
	f.Add(`too many certificates already issued for multiple names ("example.com" and 2 others). Retry after 2024-02-03T05:05:06+01:00`)
	f.Add("Your account is temporarily prevented from requesting certificates for a and possibly others. Please visit: x")
	f.Add("too many failed authorizations (5) for \"a\" in the last 99999999999 hours, retry after 9999-12-31T23:59:59-23:59")
	f.Fuzz(func(t *testing.T, text string) {
		r, ok := ParseRateLimited(text)
		if !ok && r != (RateLimited{}) {
			t.Errorf("%q is no refusal, but %+v", text, r)
		}
		if r.Burst < 0 || r.Period < 0 || len(r.Value) > 3*len(text) || strings.Contains(r.Value, "\n") {
			t.Errorf("%q is read as %+v", text, r)
		}
		if !r.RetryAfter.IsZero() && r.RetryAfter.Location() != time.UTC {
			t.Errorf("%q has a time in %v", text, r.RetryAfter.Location())
		}
		fivePerWeek.Calibrate(time.Time{}, r.RetryAfter)
	})
}
