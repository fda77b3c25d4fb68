package boulder

import (
	"testing"
	"time"

	"github.com/letsencrypt/boulder/core"
	"github.com/letsencrypt/boulder/goodkey"

	"github.com/certwire/certwire/pkg/acme"
)

// TestRenewalWindows requires the window that boulder suggests for a renewal.
func TestRenewalWindows(t *testing.T) {
	t.Parallel()
	rng := random(t, 4)
	for range 100_000 {
		notBefore := time.Unix(1_760_000_000+rng.Int64N(100_000_000), 0).UTC()
		notAfter := notBefore.Add(time.Duration(rng.Int64N(400*24*3600)) * time.Second)
		if rng.IntN(2) == 0 { // around the ten days where the rule changes
			notAfter = notBefore.Add(10*24*time.Hour + time.Duration(rng.IntN(5)-3)*time.Second)
		}
		want := core.RenewalInfoSimple(notBefore, notAfter).SuggestedWindow
		start, end := acme.ARIWindow(notBefore, notAfter)
		if !start.Equal(want.Start) || !end.Equal(want.End) {
			t.Fatalf("of %v to %v boulder says %v, certwire %v to %v", notBefore, notAfter, want, start, end)
		}
	}
}

// TestKeys requires the key sizes of the CA's certification practice statement as boulder has them.
func TestKeys(t *testing.T) {
	t.Parallel()
	allowed := goodkey.LetsEncryptCPS()
	for _, c := range []struct {
		algorithm string
		size      int
		want      bool
	}{
		{"RSA", 2048, allowed.RSA2048},
		{"RSA", 3072, allowed.RSA3072},
		{"RSA", 4096, allowed.RSA4096},
		{"ECDSA", 256, allowed.ECDSAP256},
		{"ECDSA", 384, allowed.ECDSAP384},
		{"ECDSA", 521, allowed.ECDSAP521},
	} {
		if why, ok := acme.CheckKey(c.algorithm, c.size); ok != c.want {
			t.Errorf("%s %d: boulder says %t, certwire %t (%s)", c.algorithm, c.size, c.want, ok, why)
		}
	}
}
