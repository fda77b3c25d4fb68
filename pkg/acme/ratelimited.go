package acme

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// RateLimited is what a CA's refusal says about the limit that was met. What the text does not say is zero.
type RateLimited struct {
	// Limit is the limit that was met; empty if the text does not tell it.
	Limit LimitName
	// Value is the registered domain or the identifier in the text. A refusal for an account or a set of names has
	// none, one for paused names lists them as the text does.
	Value string
	// Burst and Period are the limit's, as the CA has it.
	Burst  int64
	Period time.Duration
	// RetryAfter is the time that the CA gives, in UTC and up to 3 % later than needed, see [Limit.Calibrate].
	RetryAfter time.Time
	// Paused says that the account is barred from these names until a person unblocks it at the CA.
	Paused bool
}

// rateLimitedType is the error's type: RFC 8555, section 6.7.
const rateLimitedType = "urn:ietf:params:acme:error:rateLimited"

// messages are the beginnings of Let's Encrypt's refusals, those of 2015 to 2021, 2022 to 2024, and since. A group is
// the burst if it is digits, and else the value. Sources: boulder, ratelimits/limiter.go (Result), probs (PausedProblem),
// and ra/ra.go before commit e4668b4ca. The more particular ones come first.
var messages = []struct {
	limit   LimitName
	pattern *regexp.Regexp
}{
	{CertificatesPerSet, regexp.MustCompile(
		`too many certificates (?:\((\d+)\) )?already issued for (?:this )?exact set of (?:domains|identifiers)`)},
	{CertificatesPerDomain, regexp.MustCompile(
		`too many certificates (?:\((\d+)\) )?already issued for(?: multiple names \(|: | )(?:"([^"\s]+)"|([^\s",:()]+))`)},
	{CertificatesPerDomain, regexp.MustCompile(`too many certificates already issued\.`)},
	{FailedAuthorizations, regexp.MustCompile(
		`too many failed authorizations (?:\((\d+)\) for "([^"\s]+)"|recently)`)},
	{NewOrdersPerAccount, regexp.MustCompile(`too many new orders (?:\((\d+)\) from this account|recently)`)},
	{NewRegistrations, regexp.MustCompile(`too many (?:new registrations \((\d+)\) from this|registrations for this) `)},
}

var (
	pausedMessage = regexp.MustCompile(
		`Your account is temporarily prevented from requesting certificates for (.+?)(?: and possibly others)?\. Please visit`)
	period     = regexp.MustCompile(`in the last (?:(\d+) hours|([^\s,]+))`)
	retryAfter = regexp.MustCompile(
		`(?i)retry after (\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:\.\d+)?(Z| UTC|[+-]\d{2}:\d{2})`)
)

// ParseRateLimited reads a CA's refusal: an ACME problem's detail, or a text around one such as the reason that
// cert-manager leaves on an Order ("Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: ..."). It is
// false if the text is none; a refusal by a CA whose words are not known is true and has no Limit.
func ParseRateLimited(text string) (RateLimited, bool) {
	if m := pausedMessage.FindStringSubmatch(text); m != nil {
		return RateLimited{Paused: true, Value: strings.TrimSpace(m[1])}, true
	}
	for _, message := range messages {
		m := message.pattern.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		r := RateLimited{Limit: message.limit, RetryAfter: parseRetryAfter(text), Period: parsePeriod(text)}
		if len(m) > 1 {
			r.Burst, _ = strconv.ParseInt(m[1], 10, 64) // not a number, or too large for one: not known
			if r.Burst == math.MaxInt64 {
				r.Burst = 0
			}
		}
		if len(m) > 2 {
			r.Value = strings.ToLower(strings.TrimRight(strings.Join(m[2:], ""), ".")) // of its spellings one matched
		}
		return r, true
	}
	if strings.Contains(text, rateLimitedType) {
		return RateLimited{RetryAfter: parseRetryAfter(text)}, true
	}
	return RateLimited{}, false
}

func parseRetryAfter(text string) time.Time {
	m := retryAfter.FindStringSubmatch(text)
	if m == nil {
		return time.Time{}
	}
	zone := m[3]
	if zone == " UTC" {
		zone = "Z"
	}
	t, err := time.Parse(time.RFC3339, m[1]+"T"+m[2]+zone)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

func parsePeriod(text string) time.Duration {
	m := period.FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	written := m[2]
	if m[1] != "" {
		written = m[1] + "h"
	}
	d, err := time.ParseDuration(written)
	if err != nil || d < 0 {
		return 0
	}
	return d
}
