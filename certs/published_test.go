package certs

import (
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
)

func TestPublishedAtStart(t *testing.T) {
	t.Parallel()
	ca := newCA(t, "certwire-ca", epoch.Add(-day), 365*day)
	leaf := ca.leaf(t, epoch.Add(-time.Minute), 7*day).Leaf

	for sentence, tc := range map[string]struct {
		written time.Time
		initial bool
		want    bool
	}{
		"a CA that the bundler wrote long before this replica started needs no wait": {
			written: epoch.Add(-time.Hour), initial: true, want: true,
		},
		"a CA that the bundler wrote just before this replica started does": {
			written: epoch.Add(-time.Second), initial: true, want: false,
		},
		"a CA that nobody knows the time of does": {
			initial: true, want: false,
		},
		"a CA that came later counts from when it was seen, whenever the bundler wrote last": {
			written: epoch.Add(-time.Hour), initial: false, want: false,
		},
		"a time from a clock that is ahead does not count": {
			written: epoch.Add(time.Hour), initial: true, want: false,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			clock := clocktesting.NewFakeClock(epoch)
			rule := retention{commonName: "certwire-ca", leafDuration: 7 * day}
			p := newPublished(rule, 10*time.Second, clock, func() bool { return true })
			p.observe(configuration{
				kind: mutatingKind, name: "certwire", bundles: [][]byte{pemOf(ca)}, written: tc.written,
			}, tc.initial)
			if err := p.verify(leaf); (err == nil) != tc.want {
				t.Errorf("published: %v, want %t", err, tc.want)
			}
			clock.Step(10 * time.Second)
			if err := p.verify(leaf); err != nil {
				t.Errorf("not published after the delay: %v", err)
			}
		})
	}
}

func TestKnownIsBounded(t *testing.T) {
	t.Parallel()
	rule := retention{commonName: "certwire-ca", leafDuration: 7 * day}
	p := newPublished(rule, time.Second, clocktesting.NewFakeClock(epoch), func() bool { return true })
	for i := range 2 * maxCAs {
		p.observeCA(newCA(t, "certwire-ca", epoch.Add(time.Duration(i)*time.Minute), day).Certificate)
		p.observeCA(newCA(t, "somebody-else", epoch.Add(day), day).Certificate)
	}
	known := p.known()
	if len(known) != maxCAs {
		t.Fatalf("%d CAs known, want %d", len(known), maxCAs)
	}
	for _, ca := range known {
		if ca.NotBefore.Before(epoch.Add(maxCAs * time.Minute)) {
			t.Errorf("an old CA was kept instead of a newer one: %s", ca.NotBefore)
		}
	}
}
