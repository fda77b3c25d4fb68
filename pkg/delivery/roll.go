package delivery

import (
	"slices"
	"strings"
	"time"
)

// member is one pod of a workload whose containers restart in place.
type member struct {
	name string
	// ready is the pod's condition; leaving, that it is being deleted.
	ready, leaving bool
	// stale was seen to serve what was before, and is old enough for a restart to help.
	stale bool
	// proven is Ready, and two looks in a row have shown the leaf.
	proven bool
	// permitted since a time, as far as is known.
	permitted bool
	since     time.Time
}

// turn is what a workload's members may do.
type turn struct {
	// next may restart now; empty for nobody.
	next string
	// busy says that one was permitted to and is not proven yet.
	busy bool
	// failed is one that was permitted to, and has not come back in its time: nobody else may until it has. Empty for none.
	failed string
}

// nextTurn decides which pod of a workload may restart. One does at a time, and only while all others are Ready, so that
// never more than one is away.
func nextTurn(members []member, now time.Time, deadline time.Duration) turn {
	var t turn
	for _, m := range members {
		if m.permitted && !m.proven {
			t.busy = true
			if now.Sub(m.since) >= deadline {
				t.failed = m.name
			}
		}
	}
	if t.busy {
		return t
	}
	away := 0
	for _, m := range members {
		if !m.ready || m.leaving {
			away++
		}
	}
	first, found := firstInLine(members)
	if found && (away == 0 || (away == 1 && !first.ready)) {
		t.next = first.name
	}
	return t
}

// firstInLine is the first by name of those that have to restart. One that is not Ready goes before: nobody misses it.
func firstInLine(members []member) (member, bool) {
	waiting := slices.DeleteFunc(slices.Clone(members), func(m member) bool { return !m.stale || m.permitted || m.leaving })
	if len(waiting) == 0 {
		return member{}, false
	}
	return slices.MinFunc(waiting, func(a, b member) int {
		switch {
		case !a.ready && b.ready:
			return -1
		case a.ready && !b.ready:
			return 1
		}
		return strings.Compare(a.name, b.name)
	}), true
}
