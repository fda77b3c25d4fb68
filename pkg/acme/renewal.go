package acme

import "time"

// ARIWindow is the renewal window that Let's Encrypt suggests for a certificate that is in order (RFC 9773): a fiftieth
// of its validity wide, around the point where a third of it is left, or half of it if it is shorter than ten days. The
// start belongs to the window and the end does not. An order within it that names the certificate it replaces meets no
// limit. A revoked certificate has another window, which has already passed.
//
// Source: boulder, core/objects.go (RenewalInfoSimple).
func ARIWindow(notBefore, notAfter time.Time) (start, end time.Time) {
	validity := notAfter.Sub(notBefore) + time.Second // notAfter's own second is part of it: RFC 5280, section 4.1.2.5
	left := validity / 3
	if validity < 10*day {
		left = validity / 2
	}
	middle, margin := notAfter.Add(-left), validity/100
	return middle.Add(-margin).Truncate(time.Second), middle.Add(margin).Truncate(time.Second)
}

// RenewalInterval is the time from one issuance to the next that cert-manager makes of a certificate's lifetime and its
// spec.renewBefore and spec.renewBeforePercentage (0 and nil if not set), at a CA that backdates. It is zero or negative
// if every certificate is due for renewal when it is issued: then cert-manager orders in a loop.
//
// A renewBefore that is not shorter than the lifetime is ignored, and so is a percentage outside 1..99; with neither, a
// third of the lifetime is left at renewal. Source: cert-manager v1.21, pkg/util/pki/renewaltime.go; its rounding to a
// second, renewal windows and ARI are left out.
func RenewalInterval(lifetime, renewBefore time.Duration, percentage *int32, backdate time.Duration) time.Duration {
	before := lifetime / 3
	switch {
	case renewBefore > 0 && renewBefore < lifetime:
		before = renewBefore
	case percentage != nil && *percentage > 0 && *percentage < 100:
		before = time.Duration(float64(lifetime) * float64(*percentage) / 100) // in floating point, as cert-manager does
	}
	return lifetime - before - backdate
}
