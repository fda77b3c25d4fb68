package adopt

import "time"

const (
	// maxRounds writes to one workload within roundsWindow mean that somebody undoes them.
	maxRounds    = 5
	roundsWindow = 10 * time.Minute
	// contestedFor is how long such a workload is left alone.
	contestedFor = time.Hour
	// maxTracked bounds the memory; past it, what is oldest is forgotten.
	maxTracked = 10_000
)

// rounds counts the writes to each workload, so that certwire and an operator that prunes unknown annotations never
// chase each other for long (stakater/Reloader issue 351 is one such operator). Only writes that happened count. Not
// safe for concurrent use.
type rounds struct{ tracked map[string]*track }

// track is what is remembered of one workload.
type track struct {
	writes []time.Time
	until  time.Time // contested until then
}

func newRounds() *rounds { return &rounds{tracked: map[string]*track{}} }

// contested reports whether a workload is to be left alone now, and whether that has just become so.
func (r *rounds) contested(uid string, now time.Time) (contested, fresh bool) {
	t := r.tracked[uid]
	if t == nil {
		return false, false
	}
	if now.Before(t.until) {
		return true, false
	}
	for len(t.writes) > 0 && now.Sub(t.writes[0]) > roundsWindow {
		t.writes = t.writes[1:]
	}
	if len(t.writes) < maxRounds {
		return false, false
	}
	t.writes, t.until = nil, now.Add(contestedFor)
	return true, true
}

// wrote notes a write.
func (r *rounds) wrote(uid string, now time.Time) {
	t := r.tracked[uid]
	if t == nil {
		if len(r.tracked) >= maxTracked {
			r.forgetOldest()
		}
		t = &track{}
		r.tracked[uid] = t
	}
	t.writes = append(t.writes, now)
}

func (r *rounds) forgetOldest() {
	var oldest string
	var when time.Time
	for uid, t := range r.tracked {
		last := t.until
		if len(t.writes) > 0 {
			last = t.writes[len(t.writes)-1]
		}
		if oldest == "" || last.Before(when) {
			oldest, when = uid, last
		}
	}
	delete(r.tracked, oldest)
}
