package policy

import (
	"testing"
	"time"
)

func TestAPeriodIsWrittenAsPeopleSayIt(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]time.Duration{
		"7 days": 168 * time.Hour, "2 days": 48 * time.Hour, "a day": 24 * time.Hour, "36 hours": 36 * time.Hour,
		"3 hours": 3 * time.Hour, "an hour": time.Hour, "1h30m0s": 90 * time.Minute, "40s": 40 * time.Second,
	} {
		if got := inWords(d); got != want {
			t.Errorf("%s is written %q, want %q", d, got, want)
		}
	}
}
