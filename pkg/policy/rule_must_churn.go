// Rule must-churn: a Certificate's renewal time leaves enough of the lifetime that its CA really gives.
//
// cert-manager checks spec.renewBefore against spec.duration, which Let's Encrypt does not look at: its certificates live
// as long as their profile says, and begin to live 58m30s before they are issued. A renewBefore close to that lifetime
// makes each certificate due as soon as it is there, and cert-manager orders in a loop without any back-off; a little less
// renews so often that the limit for one set of names (5 in 7 days) is used up within days, and then no renewal works.
//
// Restricted objects: Certificates by spec.renewBefore and spec.renewBeforePercentage, for issuers at a directory whose
// lifetimes are known: Let's Encrypt's by profile, others from the configuration's authorities.
//
// Refused: a renewal interval (lifetime - renewBefore - backdate) that is not positive, or shorter than the time in which
// the limit for one set of names gives back one certificate. For the lifetimes of Let's Encrypt that is a renewBefore of
// more than 2125h25m at 90 days, 1501h25m at 64, 1045h25m at 45, and 125h25m at 160 hours.
//
// Warned about: the same at an announced lifetime (64 days from 2027-02-10, 45 days from 2028-02-16), with the date; a
// renewBefore that is not shorter than the lifetime, which cert-manager ignores in silence and renews after two thirds;
// Certificates with spec.renewal.windows, which can only make renewals rarer; and Certificates that cert-manager makes for
// an Ingress or a Gateway.
//
// Not looked at: spec.renewal.policy Disabled; renewals by ARI, which only a feature gate of cert-manager turns on.
//
// Sources: cert-manager, pkg/util/pki/renewaltime.go; https://letsencrypt.org/2025/12/02/from-90-to-45.
//
// Reasons: churn-loop, churn, churn-ahead, renew-before-ignored.

package policy

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/certwire/certwire/pkg/acme"
)

// MustChurn is the name of the rule in rule_must_churn.go.
const MustChurn RuleName = "must-churn"

// The reasons of [MustChurn].
const (
	ReasonChurnLoop          Reason = "churn-loop"
	ReasonChurn              Reason = "churn"
	ReasonChurnAhead         Reason = "churn-ahead"
	ReasonRenewBeforeIgnored Reason = "renew-before-ignored"
)

var mustChurn = Rule{
	Name:     MustChurn,
	Reasons:  []Reason{ReasonChurnLoop, ReasonChurn, ReasonChurnAhead, ReasonRenewBeforeIgnored},
	Concerns: changed("renewBefore", "renewBeforePercentage", "renewal", "issuerRef"),
	Check:    checkMustChurn,
}

// outlook is what a renewal schedule makes of a lifetime.
type outlook struct {
	schedule           Schedule
	lifetime, interval time.Duration
	limit              acme.Limit
}

func checkMustChurn(r Request) Finding {
	if !forACME(r, Certificate) {
		return Finding{}
	}
	schedule, service := r.Object.Schedule(), r.Issuer.Service
	lifetime, ok := service.Lifetime(r.Issuer.Profile, r.Now)
	if !ok || schedule.Disabled || (schedule.Before <= 0 && schedule.Percentage == nil) {
		return Finding{}
	}
	c := newOutlook(schedule, lifetime, service)
	switch {
	case c.bad():
		return churns(r, c)
	case schedule.Before >= lifetime:
		return advise(MustChurn, ReasonRenewBeforeIgnored,
			fmt.Sprintf("%s is not shorter than %s, which certificates of %s live", schedule, inWords(lifetime), r.Issuer.Ref),
			fmt.Sprintf("cert-manager ignores it and renews after two thirds; %s is that third", hours(lifetime/3)))
	}
	for _, change := range service.Changes(r.Issuer.Profile, r.Now) {
		if c := newOutlook(schedule, change.Lifetime, service); c.bad() {
			line := fmt.Sprintf("from %s on certificates of %s live %s", change.From.Format(time.DateOnly), r.Issuer.Ref, inWords(change.Lifetime))
			return advise(MustChurn, ReasonChurnAhead, append([]string{line}, c.warnings()...)...)
		}
	}
	return Finding{}
}

func newOutlook(s Schedule, lifetime time.Duration, service acme.Service) outlook {
	return outlook{s, lifetime, acme.RenewalInterval(lifetime, s.Before, s.Percentage, service.Backdate), service.Limits.CertificatesPerSet}
}

// bad reports whether the CA's limit gives certificates back more slowly than they are ordered.
func (c outlook) bad() bool {
	return c.interval <= 0 || (c.limit.Enabled() && c.interval < c.limit.EmissionInterval())
}

func churns(r Request, c outlook) Finding {
	live := fmt.Sprintf("%s, because %s leaves too little of %s, which certificates of %s live", c.often(), c.schedule, inWords(c.lifetime), r.Issuer.Ref)
	message := fmt.Sprintf("%s would be renewed %s", subject(r), live)
	if c.limit.Enabled() {
		message += fmt.Sprintf(". %s allows %s for one set of names: %s, and renewals fail from then on", r.Issuer.Directory, allows(c.limit), c.usedUp())
	}
	message += fmt.Sprintf(". Set spec.renewBefore to %s, a third of the lifetime, or leave it out", hours(c.lifetime/3))
	reason := ReasonChurn
	if c.interval <= 0 {
		reason = ReasonChurnLoop
	}
	warnings := append([]string{fmt.Sprintf("certificates of %s live %s", r.Issuer.Ref, inWords(c.lifetime))}, c.warnings()...)
	if r.Object.Schedule().Windows {
		return advise(MustChurn, reason, append(warnings, "spec.renewal.windows may make it rarer")...)
	}
	return refuse(r, MustChurn, reason, message, warnings...)
}

func (c outlook) warnings() []string {
	lines := []string{fmt.Sprintf("%s then renews %s", c.schedule, c.often())}
	if c.limit.Enabled() {
		lines = append(lines, fmt.Sprintf("the CA allows %s for one set of names: %s", allows(c.limit), c.usedUp()))
	}
	return lines
}

// often says how often certificates would be renewed.
func (c outlook) often() string {
	if c.interval <= 0 {
		return "as soon as it is issued, without end"
	}
	return "every " + hours(c.interval.Round(time.Minute))
}

// usedUp says when the limit is.
func (c outlook) usedUp() string {
	if c.interval <= 0 {
		return "all are used up within minutes"
	}
	switch days := c.deniedAfter().Hours() / 24; {
	case days < 2:
		return fmt.Sprintf("all are used up after %.0f hours", days*24)
	case days > 1000:
		return "all are used up after years"
	default:
		return fmt.Sprintf("all are used up after %.0f days", days)
	}
}

// deniedAfter is the time from the first issuance to the first that is denied. The n-th, counted from 0, comes after n
// intervals; it is denied when n more tokens are gone than came back, less the burst's own: n * (e - interval) > e *
// (burst - 1).
func (c outlook) deniedAfter() time.Duration {
	e := float64(c.limit.EmissionInterval())
	n := math.Floor(e*float64(c.limit.Burst-1)/(e-float64(c.interval))) + 1
	if n *= float64(c.interval); n < math.MaxInt64 {
		return time.Duration(n)
	}
	return math.MaxInt64
}

func allows(l acme.Limit) string { return fmt.Sprintf("%d in %s", l.Count, inWords(l.Period)) }

// String names the field that decides.
func (s Schedule) String() string {
	if s.Before > 0 {
		return "renewBefore " + hours(s.Before)
	}
	return fmt.Sprintf("renewBeforePercentage %d", *s.Percentage)
}

// hours is Go's notation without the zeros at its end.
func hours(d time.Duration) string {
	text := d.Round(time.Second).String()
	for _, zero := range []string{"m0s", "h0m"} {
		if rest, ok := strings.CutSuffix(text, zero); ok {
			text = rest + zero[:1]
		}
	}
	return text
}
