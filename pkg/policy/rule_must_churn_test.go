package policy

import (
	"testing"
	"time"

	"github.com/certwire/certwire/pkg/acme"
)

func TestMustChurn(t *testing.T) {
	t.Parallel()
	on := func(date string) time.Time {
		d, err := time.Parse(time.DateOnly, date)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	ask := func(date, profile, rest string, change ...func(*Request)) Request {
		text := `{metadata: {name: web}, spec: {dnsNames: [a.example.com], issuerRef: {name: le}, ` + rest + `}}`
		return certificate(t, text, append([]func(*Request){at(t, leServer, profile), func(r *Request) { r.Now = on(date) }}, change...)...)
	}
	const now = "2026-11-23"
	for sentence, c := range map[string]expectation{
		"a loop": {
			request: ask(now, "", `renewBefore: 2159h2m`), reason: ReasonChurnLoop, refused: true,
			message: "Certificate shop/web would be renewed as soon as it is issued, without end, because renewBefore 2159h2m leaves too little of 90 days, " +
				"which certificates of Issuer le live. acme-v02.api.letsencrypt.org (Let's Encrypt, production) allows 5 in 7 days for one set of names: " +
				"all are used up within minutes, and renewals fail from then on. Set spec.renewBefore to 720h, a third of the lifetime, or leave it out",
			warnings: []string{
				"certificates of Issuer le live 90 days",
				"renewBefore 2159h2m then renews as soon as it is issued, without end",
				"the CA allows 5 in 7 days for one set of names: all are used up within minutes",
				"refused with certwire.dev/issuance=deny: " + Docs(MustChurn),
			},
		},
		"a percentage that is used up in days": {
			request: ask(now, "", `renewBeforePercentage: 99`), reason: ReasonChurn, refused: true,
			message: "Certificate shop/web would be renewed every 20h38m, because renewBeforePercentage 99 leaves too little of 90 days, " +
				"which certificates of Issuer le live. acme-v02.api.letsencrypt.org (Let's Encrypt, production) allows 5 in 7 days for one set of names: " +
				"all are used up after 9 days, and renewals fail from then on. Set spec.renewBefore to 720h, a third of the lifetime, or leave it out",
		},
		"90 days, just sustainable":         {request: ask(now, "", `renewBefore: 2125h25m30s`)},
		"90 days, just not":                 {request: ask(now, "", `renewBefore: 2125h25m31s`), reason: ReasonChurn, refused: true},
		"90 days by percentage":             {request: ask("2028-03-01", "", `renewBeforePercentage: 96`)},
		"64 days, just sustainable":         {request: ask("2027-02-10", "", `renewBefore: 1501h25m30s`)},
		"64 days, just not":                 {request: ask("2027-02-10", "", `renewBefore: 1501h25m31s`), reason: ReasonChurn, refused: true},
		"64 days by percentage":             {request: ask("2027-02-10", "", `renewBeforePercentage: 98`), reason: ReasonChurn, refused: true},
		"45 days, just sustainable":         {request: ask(now, "tlsserver", `renewBefore: 1045h25m30s`)},
		"45 days, just not":                 {request: ask(now, "tlsserver", `renewBefore: 1045h25m31s`), reason: ReasonChurn, refused: true},
		"45 days by percentage, just":       {request: ask(now, "tlsserver", `renewBeforePercentage: 96`)},
		"45 days by percentage, just not":   {request: ask(now, "tlsserver", `renewBeforePercentage: 97`), reason: ReasonChurn, refused: true},
		"160 hours, just sustainable":       {request: ask(now, "shortlived", `renewBefore: 125h25m30s`)},
		"160 hours, just not":               {request: ask(now, "shortlived", `renewBefore: 125h25m31s`), reason: ReasonChurn, refused: true},
		"160 hours by percentage, just":     {request: ask(now, "shortlived", `renewBeforePercentage: 78`)},
		"160 hours by percentage, just not": {request: ask(now, "shortlived", `renewBeforePercentage: 79`), reason: ReasonChurn, refused: true},
		"a time bomb at 64 days": {
			request: ask(now, "", `renewBefore: 1510h`), reason: ReasonChurnAhead,
			warnings: []string{
				"from 2027-02-10 on certificates of Issuer le live 64 days",
				"renewBefore 1510h then renews every 25h2m",
				"the CA allows 5 in 7 days for one set of names: all are used up after 17 days",
				"more: " + Docs(MustChurn),
			},
		},
		"a time bomb at 45 days": {
			request: ask("2027-02-10", "", `renewBefore: 1050h`), reason: ReasonChurnAhead,
			warnings: []string{
				"from 2028-02-16 on certificates of Issuer le live 45 days",
				"renewBefore 1050h then renews every 29h2m",
				"the CA allows 5 in 7 days for one set of names: all are used up after 36 days",
				"more: " + Docs(MustChurn),
			},
		},
		"a renewBefore that is ignored": {
			request: ask(now, "shortlived", `renewBefore: 720h`), reason: ReasonRenewBeforeIgnored,
			warnings: []string{
				"renewBefore 720h is not shorter than 160 hours, which certificates of Issuer le live",
				"cert-manager ignores it and renews after two thirds; 53h20m is that third",
				"more: " + Docs(MustChurn),
			},
		},
		"the usual renewBefore":                 {request: ask(now, "", `renewBefore: 720h`)},
		"no renewBefore":                        {request: ask(now, "", `duration: 2160h`)},
		"renewals that are switched off":        {request: ask(now, "", `renewBefore: 2159h30m, renewal: {policy: Disabled}`)},
		"renewals that are held to windows":     {request: ask(now, "", `renewBefore: 2159h30m, renewal: {policy: RenewBefore, windows: [{cron: "x"}]}`), reason: ReasonChurnLoop},
		"a Certificate of an Ingress":           {request: ask(now, "", `renewBefore: 2159h30m`, kind(Certificate, "Ingress")), reason: ReasonChurnLoop},
		"staging has room, but not for a loop":  {request: ask(now, "", `renewBefore: 2159h30m`, at(t, "https://acme-staging-v02.api.letsencrypt.org/directory", "")), reason: ReasonChurnLoop, refused: true},
		"staging has room":                      {request: ask(now, "tlsserver", `renewBefore: 1078h`, at(t, "https://acme-staging-v02.api.letsencrypt.org/directory", "tlsserver"))},
		"a profile that nobody knows":           {request: ask(now, "future", `renewBefore: 2159h30m`)},
		"a CA whose lifetimes nobody knows":     {request: ask(now, "", `renewBefore: 2159h30m`, at(t, zeroServer, ""))},
		"an update of something else":           {request: ask(now, "", `renewBefore: 2159h30m`, was(t, `spec: {dnsNames: [b.example.com], issuerRef: {name: le}, renewBefore: 2159h30m}`)), unchanged: true},
		"an update of the issuer":               {request: ask(now, "", `renewBefore: 2159h30m`, was(t, `spec: {dnsNames: [a.example.com], issuerRef: {name: b}, renewBefore: 2159h30m}`)), reason: ReasonChurnLoop, refused: true},
		"windows that open where none was":      {request: ask(now, "", `renewBefore: 2159h30m`, was(t, `spec: {dnsNames: [a.example.com], issuerRef: {name: le}, renewBefore: 2159h30m, renewal: {policy: Disabled}}`)), reason: ReasonChurnLoop, refused: true},
		"a limit that nobody knows, and a loop": {request: ask(now, "", `renewBefore: 2159h30m`, func(r *Request) { r.Issuer.Service.Limits.CertificatesPerSet = acme.Limit{} }), reason: ReasonChurnLoop, refused: true},
		"a limit that nobody knows":             {request: ask("2028-03-01", "", `renewBeforePercentage: 99`, func(r *Request) { r.Issuer.Service.Limits.CertificatesPerSet = acme.Limit{} })},
	} {
		t.Run(sentence, func(t *testing.T) { t.Parallel(); c.check(t, mustChurn) })
	}
}

// TestUsedUp holds the formula to the bucket itself.
func TestUsedUp(t *testing.T) {
	t.Parallel()
	limit := acme.Limit{Count: 5, Burst: 5, Period: 168 * time.Hour}
	for interval, want := range map[time.Duration]string{
		time.Hour:                     "all are used up after 5 hours",
		20*time.Hour + 37*time.Minute: "all are used up after 9 days",
		30 * time.Hour:                "all are used up after 48 days",
		33 * time.Hour:                "all are used up after 309 days",
		33*time.Hour + 35*time.Minute: "all are used up after years",
		0:                             "all are used up within minutes",
	} {
		c := outlook{interval: interval, limit: limit}
		if got := c.usedUp(); got != want {
			t.Errorf("%s: %s, want %s", interval, got, want)
		}
		if interval == 0 {
			continue
		}
		start := time.Unix(0, 0)
		now, tat := start, time.Time{}
		for got := limit.Spend(now, tat, 1); got.Allowed; got = limit.Spend(now, tat, 1) {
			tat, now = got.TAT, now.Add(interval)
		}
		if got := c.deniedAfter(); got != now.Sub(start) {
			t.Errorf("%s: denied after %s, and the bucket says %s", interval, got, now.Sub(start))
		}
	}
}
