package acme

import (
	"testing"
	"time"
)

func TestARIWindow(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		lifetime         time.Duration
		fromStart, width time.Duration
	}{
		"ninety days: 43 hours around the sixtieth day": {90 * day, 60*day - 90*day/100, 90 * day / 50},
		"forty-five days: 21.6 hours around the 30th":   {45 * day, 30*day - 45*day/100, 45 * day / 50},
		"160 hours: 3.2 hours around the middle":        {160 * time.Hour, 80*time.Hour - 96*time.Minute, 192 * time.Minute},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			start, end := ARIWindow(noon, noon.Add(c.lifetime-time.Second))
			if off := start.Sub(noon.Add(c.fromStart)).Abs(); off > 2*time.Second {
				t.Errorf("it starts at %v, %v off", start, off)
			}
			if off := (end.Sub(start) - c.width).Abs(); off > 2*time.Second {
				t.Errorf("it is %v wide, want %v", end.Sub(start), c.width)
			}
		})
	}
}

func TestRenewalInterval(t *testing.T) {
	t.Parallel()
	percent := func(n int32) *int32 { return &n }
	const backdate = letsEncryptBackdate
	for sentence, c := range map[string]struct {
		lifetime, renewBefore time.Duration
		percentage            *int32
		want                  time.Duration
	}{
		"by default a third is left":                    {90 * day, 0, nil, 60*day - backdate},
		"renewBefore is what is left":                   {90 * day, 10 * day, nil, 80*day - backdate},
		"a percentage is of the lifetime":               {90 * day, 0, percent(50), 45*day - backdate},
		"renewBefore comes before a percentage":         {90 * day, 10 * day, percent(50), 80*day - backdate},
		"a renewBefore of the lifetime is ignored":      {64 * day, 64 * day, nil, 64*day - 64*day/3 - backdate},
		"in favour of a percentage if there is one":     {64 * day, 70 * day, percent(25), 48*day - backdate},
		"a percentage of a hundred is ignored":          {90 * day, 0, percent(100), 60*day - backdate},
		"and one of nothing too":                        {90 * day, 0, percent(0), 60*day - backdate},
		"just under the lifetime it orders in a loop":   {90 * day, 90*day - 30*time.Minute, nil, 30*time.Minute - backdate},
		"99 percent of 90 days come every 20.6 hours":   {90 * day, 0, percent(99), 90*day - time.Duration(float64(90*day)*99/100) - backdate},
		"a negative renewBefore is none":                {90 * day, -time.Hour, nil, 60*day - backdate},
		"shortlived has no more than its lifetime less": {160 * time.Hour, 0, nil, 160*time.Hour - 160*time.Hour/3 - backdate},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := RenewalInterval(c.lifetime, c.renewBefore, c.percentage, backdate); got != c.want {
				t.Errorf("it is %v, want %v", got, c.want)
			}
		})
	}
	// Where the set of names is ordered just as often as its tokens come back.
	set := letsEncryptServices()[Production].Limits.CertificatesPerSet.EmissionInterval()
	for lifetime, threshold := range map[time.Duration]time.Duration{
		90 * day:        2125*time.Hour + 25*time.Minute + 30*time.Second,
		64 * day:        1501*time.Hour + 25*time.Minute + 30*time.Second,
		45 * day:        1045*time.Hour + 25*time.Minute + 30*time.Second,
		160 * time.Hour: 125*time.Hour + 25*time.Minute + 30*time.Second,
	} {
		if got := RenewalInterval(lifetime, threshold, nil, backdate); got != set {
			t.Errorf("%v before the end of %v the interval is %v, want %v", threshold, lifetime, got, set)
		}
	}
}
