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
		room int // 1 where nothing is said
	}{
		"the first goes first":                              {pods: []string{"b ready stale", "a ready stale", "c ready stale"}, want: turn{next: "a"}},
		"the next goes when it is back and proven":          {pods: []string{"a permitted proven", "b ready stale", "c ready stale"}, want: turn{next: "b"}},
		"not while it is away":                              {pods: []string{"a permitted", "b ready stale"}, want: turn{busy: true}},
		"not while it is back but not proven":               {pods: []string{"a permitted ready", "b ready stale"}, want: turn{busy: true}},
		"not after a failure":                               {pods: []string{"a overdue", "b ready stale"}, want: turn{busy: true, failed: "a"}},
		"not when it is ready and stale all the same":       {pods: []string{"a overdue ready stale", "b ready stale"}, want: turn{busy: true, failed: "a"}},
		"again when the one that failed is back":            {pods: []string{"a overdue proven", "b ready stale"}, want: turn{next: "b"}},
		"not while another one is away by itself":           {pods: []string{"a ready stale", "b"}, want: turn{}},
		"not while another one is being deleted":            {pods: []string{"a ready stale", "b ready leaving"}, want: turn{}},
		"who is away anyhow goes first":                     {pods: []string{"a ready stale", "b stale"}, want: turn{next: "b"}},
		"nobody, when two are away":                         {pods: []string{"a stale", "b stale", "c ready stale"}, want: turn{}},
		"a single one may":                                  {pods: []string{"a ready stale"}, want: turn{next: "a"}},
		"nobody has to":                                     {pods: []string{"a ready", "b permitted proven"}, want: turn{}},
		"one that is being deleted has no turn":             {pods: []string{"a ready stale leaving"}, want: turn{}},
		"two at a time, where two may be away":              {pods: []string{"a permitted", "b ready stale", "c ready stale"}, want: turn{busy: true, next: "b"}, room: 2},
		"no third one":                                      {pods: []string{"a permitted", "b permitted ready", "c ready stale"}, want: turn{busy: true}, room: 2},
		"who is away for another reason is one of the two":  {pods: []string{"a permitted", "b", "c ready stale"}, want: turn{busy: true}, room: 2},
		"of two that are away anyhow, one may while one is": {pods: []string{"a stale", "b stale", "c ready stale"}, want: turn{next: "a"}, room: 2},
		"a failure stops them, however many might be away":  {pods: []string{"a overdue", "b ready stale", "c ready stale"}, want: turn{busy: true, failed: "a"}, room: 3},
		"who serves it without having been permitted ":      {pods: []string{"a proven", "b proven"}, want: turn{}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := nextTurn(parseMembers(c.pods), max(c.room, 1), noon, time.Minute); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// TestNeverMoreAreAwayThanMay plays all restarts of a workload, in which each pod is away for a while.
func TestNeverMoreAreAwayThanMay(t *testing.T) {
	t.Parallel()
	for replicas := 1; replicas <= 21; replicas++ {
		room := 1 + replicas/7
		members := make([]member, replicas)
		for i := range members {
			members[i] = member{name: fmt.Sprint(i), ready: true, stale: true}
		}
		now := noon
		for range 100 * replicas {
			now = now.Add(time.Second)
			if got := nextTurn(members, room, now, time.Minute); got.next != "" {
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
			if away > room {
				t.Fatalf("of %d replicas %d are away, and %d may be", replicas, away, room)
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
			if again := withWordAgain(c.value, a, c.permit, []probe.Fingerprint{b}); again == c.value || permitted(again, a) != c.permit ||
				twice(again, a) != (c.value == c.want) || strings.Count(again, ",") > strings.Count(c.want, ",")+1 {
				t.Errorf("again: %q", again)
			}
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
