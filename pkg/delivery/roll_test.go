package delivery

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/certwire/certwire/pkg/probe"
)

// parseMembers reads pods as in "a ready stale", by their names.
func parseMembers(pods []string) []member {
	var out []member
	for _, text := range pods {
		words := strings.Fields(text)
		m := member{name: words[0]}
		for _, w := range words[1:] {
			switch w {
			case "ready":
				m.ready = true
			case "stale":
				m.stale = true
			case "leaving":
				m.leaving = true
			case "proven":
				m.proven, m.ready = true, true
			case "permitted":
				m.permitted, m.since = true, noon.Add(-time.Second)
			case "overdue":
				m.permitted, m.since = true, noon.Add(-time.Hour)
			}
		}
		out = append(out, m)
	}
	return out
}

func TestNextTurn(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		pods []string
		want turn
	}{
		"the first goes first":                         {[]string{"b ready stale", "a ready stale", "c ready stale"}, turn{next: "a"}},
		"the next goes when it is back and proven":     {[]string{"a permitted proven", "b ready stale", "c ready stale"}, turn{next: "b"}},
		"not while it is away":                         {[]string{"a permitted", "b ready stale"}, turn{busy: true}},
		"not while it is back but not proven":          {[]string{"a permitted ready", "b ready stale"}, turn{busy: true}},
		"not after a failure":                          {[]string{"a overdue", "b ready stale"}, turn{busy: true, failed: "a"}},
		"not when it is ready and stale all the same":  {[]string{"a overdue ready stale", "b ready stale"}, turn{busy: true, failed: "a"}},
		"again when the one that failed is back":       {[]string{"a overdue proven", "b ready stale"}, turn{next: "b"}},
		"not while another one is away by itself":      {[]string{"a ready stale", "b"}, turn{}},
		"not while another one is being deleted":       {[]string{"a ready stale", "b ready leaving"}, turn{}},
		"who is away anyhow goes first":                {[]string{"a ready stale", "b stale"}, turn{next: "b"}},
		"nobody, when two are away":                    {[]string{"a stale", "b stale", "c ready stale"}, turn{}},
		"a single one may":                             {[]string{"a ready stale"}, turn{next: "a"}},
		"nobody has to":                                {[]string{"a ready", "b permitted proven"}, turn{}},
		"one that is being deleted has no turn":        {[]string{"a ready stale leaving"}, turn{}},
		"who serves it without having been permitted ": {[]string{"a proven", "b proven"}, turn{}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := nextTurn(parseMembers(c.pods), noon, time.Minute); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// TestNeverTwoAreAway plays all restarts of a workload, in which each pod is away for a while, and sometimes another one.
func TestNeverTwoAreAway(t *testing.T) {
	t.Parallel()
	for replicas := 1; replicas <= 7; replicas++ {
		members := make([]member, replicas)
		for i := range members {
			members[i] = member{name: fmt.Sprint(i), ready: true, stale: true}
		}
		now := noon
		for range 100 * replicas {
			now = now.Add(time.Second)
			if got := nextTurn(members, now, time.Minute); got.next != "" {
				for i := range members {
					if members[i].name == got.next {
						members[i].permitted, members[i].ready, members[i].stale, members[i].since = true, false, false, now
					}
				}
			}
			away := 0
			for i := range members {
				if !members[i].ready {
					away++
				}
				if members[i].permitted && now.Sub(members[i].since) > 5*time.Second {
					members[i].ready, members[i].proven = true, true
				}
			}
			if away > 1 {
				t.Fatalf("of %d replicas %d are away", replicas, away)
			}
		}
		for _, m := range members {
			if !m.proven {
				t.Errorf("of %d replicas, %s was never restarted", replicas, m.name)
			}
		}
	}
}

func TestTheAnnotationsWords(t *testing.T) {
	t.Parallel()
	a, b, old := probe.Fingerprint(strings.Repeat("a", 64)), probe.Fingerprint(strings.Repeat("b", 64)), strings.Repeat("0", 64)
	for sentence, c := range map[string]struct {
		value, want string
		permit      bool
	}{
		"the first word":                               {"", string(a), true},
		"a permit replaces what was announced":         {"await-" + string(a), string(a), true},
		"an announcement is no permit":                 {"", "await-" + string(a), false},
		"another certificate of the pod's keeps its":   {string(b), string(a) + "," + string(b), true},
		"and what was announced of it":                 {"await-" + string(b), string(a) + ",await-" + string(b), true},
		"what is old goes":                             {old + "," + string(b), string(a) + "," + string(b), true},
		"what a person wrote goes":                     {"now", string(a), true},
		"what is there already is not there once more": {string(a), string(a), true},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			got := withWord(c.value, a, c.permit, []probe.Fingerprint{b})
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if permitted(got, a) != c.permit || !announced(got, a) {
				t.Errorf("%q permits: %t, announces: %t", got, permitted(got, a), announced(got, a))
			}
		})
	}
}
