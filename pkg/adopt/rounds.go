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
// chase each other for long (stakater/Reloader issue 351 is one such operator). Not safe for concurrent use.
type rounds struct{ writes map[string][]time.Time }

func newRounds() *rounds { return &rounds{writes: map[string][]time.Time{}} }

// another notes a write now, or returns false when there were too many.
func (r *rounds) another(uid string, now time.Time) bool {
	recent := r.writes[uid]
	for len(recent) > 0 && now.Sub(recent[0]) > roundsWindow {
		recent = recent[1:]
	}
	if len(recent) >= maxRounds {
		r.writes[uid] = recent
		return false
	}
	if len(r.writes) >= maxTracked {
		r.forgetOldest()
	}
	r.writes[uid] = append(recent, now)
	return true
}

// takeBack forgets the last write: it did not happen.
func (r *rounds) takeBack(uid string) {
	if recent := r.writes[uid]; len(recent) > 0 {
		r.writes[uid] = recent[:len(recent)-1]
	}
}

func (r *rounds) forgetOldest() {
	var oldest string
	var when time.Time
	for uid, writes := range r.writes {
		if len(writes) == 0 {
			delete(r.writes, uid)
			return
		}
		if last := writes[len(writes)-1]; oldest == "" || last.Before(when) {
			oldest, when = uid, last
		}
	}
	delete(r.writes, oldest)
}
