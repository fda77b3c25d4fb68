package delivery

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// member is one pod of a workload whose containers restart in place.
type member struct {
	name string
	// rank goes before the name in the order of turns: StatefulSets go from the highest ordinal down, as their controller does.
	rank int
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

// nextTurn decides which pod of a workload may restart. As many do at a time as may be away together, and who is away for
// another reason is one of these.
func nextTurn(members []member, atATime int, now time.Time, deadline time.Duration) turn {
	var t turn
	restarting, away := 0, 0
	for _, m := range members {
		switch {
		case m.permitted && !m.proven:
			restarting++
			if now.Sub(m.since) >= deadline {
				t.failed = m.name
			}
		case !m.ready || m.leaving:
			away++
		}
	}
	t.busy = restarting > 0
	first, found := firstInLine(members)
	if t.failed != "" || !found {
		return t
	}
	room := atATime - restarting - away
	if !first.ready {
		room++ // it is one of those that are away
	}
	if room > 0 {
		t.next = first.name
	}
	return t
}

// firstInLine is the first of those that have to restart. One that is not Ready goes before: nobody misses it.
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
		return cmp.Or(cmp.Compare(a.rank, b.rank), strings.Compare(a.name, b.name))
	}), true
}
