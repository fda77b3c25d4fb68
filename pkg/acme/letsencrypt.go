package acme

import "time"

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// letsEncryptBackdate is nine tenths of the 1h5m in boulder's configuration (issuance/cert.go takes that share, so that
// no certificate begins exactly at the bound). The CA's own configuration is not public; its certificates show the same.
const letsEncryptBackdate = 58*time.Minute + 30*time.Second

// letsEncryptExemption is the window in which the same set of names counts as a renewal: boulder, wfe2/wfe.go and
// ra/ra.go (FQDNSetTimestampsForWindow).
const letsEncryptExemption = 120 * day

// letsEncryptServices are what Let's Encrypt's directories are like.
//
// Sources: the limits of production https://letsencrypt.org/docs/rate-limits/ (of 2026-08-05), those of staging
// https://letsencrypt.org/docs/staging-environment/ (of 2026-04-10), profiles https://letsencrypt.org/docs/profiles/,
// lifetimes https://letsencrypt.org/2025/12/02/from-90-to-45. Refill times follow from the limits: an order in 36 s, a
// failed authorization in 12 min, a certificate of a domain in 3h21m36s, one of a set of names in 33h36m.
func letsEncryptServices() map[Stage]Service {
	return map[Stage]Service{
		Production: {
			Limits: Limits{
				NewOrders:             Limit{Count: 300, Burst: 300, Period: 3 * time.Hour},
				FailedAuthorizations:  Limit{Count: 5, Burst: 5, Period: time.Hour},
				CertificatesPerDomain: Limit{Count: 50, Burst: 50, Period: week},
				CertificatesPerSet:    Limit{Count: 5, Burst: 5, Period: week},
			},
			Backdate: letsEncryptBackdate, exemption: letsEncryptExemption,
			Profiles: letsEncryptProfiles(0),
		},
		Staging: {
			Limits: Limits{
				NewOrders:             Limit{Count: 1500, Burst: 1500, Period: 3 * time.Hour},
				FailedAuthorizations:  Limit{Count: 200, Burst: 200, Period: time.Hour},
				CertificatesPerDomain: Limit{Count: 30000, Burst: 30000, Period: time.Second},
				CertificatesPerSet:    Limit{Count: 30000, Burst: 30000, Period: week},
			},
			Backdate: letsEncryptBackdate, exemption: letsEncryptExemption,
			// "Approximately one month before the production dates": the days here are production's, a month earlier.
			Profiles: letsEncryptProfiles(1),
		},
	}
}

// letsEncryptProfiles are the CA's profiles with their announced lifetimes, whose dates come so many months earlier.
func letsEncryptProfiles(months int) []Profile {
	from := func(year int, month time.Month, d int) time.Time {
		return time.Date(year, month-time.Month(months), d, 0, 0, 0, 0, time.UTC)
	}
	return []Profile{
		{Name: "classic", MaxNames: 100, Lifetimes: []Lifetime{
			{Lifetime: 90 * day},
			{From: from(2027, time.February, 10), Lifetime: 64 * day},
			{From: from(2028, time.February, 16), Lifetime: 45 * day},
		}},
		{Name: "tlsserver", MaxNames: 25, Lifetimes: []Lifetime{
			{Lifetime: 90 * day},
			{From: from(2026, time.May, 13), Lifetime: 45 * day},
		}},
		{Name: "shortlived", MaxNames: 25, IPAddresses: true, Lifetimes: []Lifetime{{Lifetime: 160 * time.Hour}}},
	}
}
