package delivery

import (
	"time"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/mirror"
)

// listCopies writes the copies into the status.
func (s *sweep) listCopies() {
	if !s.copies.known && s.secrets != nil {
		return // what was written down stays
	}
	s.status.Mirrors = nil
	for _, m := range s.copies.found[:min(len(s.copies.found), maxMirrorsListed)] {
		listed := v1alpha1.DeliveryMirror{Namespace: m.Namespace, Name: m.Name, Tool: string(m.Tool), State: string(m.State)}
		if m.Leaf != nil {
			listed.Serial = m.Leaf.Serial[:min(len(m.Leaf.Serial), maxSerial)]
		}
		s.status.Mirrors = append(s.status.Mirrors, listed)
	}
}

// counts reports whether a copy that is behind makes the delivery stale. One that nobody keeps, and that nothing uses as
// far as is known, may be somebody's backup: it is listed, and no more.
func (c *copies) counts(m *mirror.Mirror) bool { return m.Tool != mirror.Content || c.used[m.Key()] }

// judgeCopies puts what is known of the Secret and its copies before what was seen of the pods: they come earlier on the way.
func (s *sweep) judgeCopies(v Verdict) Verdict {
	if !s.copies.known {
		return s.keepJudgement(v)
	}
	f := copyFacts{before: s.status.State, overwritten: s.copies.overwritten}
	now, all, some := s.Now(), true, false
	var staleSince time.Time
	for i := range s.copies.found {
		m := &s.copies.found[i]
		if !s.copies.counts(m) {
			continue
		}
		some = true
		if !m.Behind() {
			continue
		}
		all = false
		since := s.m.copies.behind[m.Key()]
		if now.Sub(since) < mirror.Patience(m.Tool, s.Deadline) {
			if f.waiting == "" {
				f.waiting = mirror.Problem(*m, s.copies.source)
			}
			continue
		}
		if f.late == "" {
			f.late = mirror.Problem(*m, s.copies.source)
		}
		if staleSince.IsZero() || since.Before(staleSince) {
			staleSince = since
		}
	}
	for i := range s.replicas {
		if r := &s.replicas[i]; !r.copied && r.state() != Current {
			f.podsBehind = true
		}
	}
	s.m.mirrorStale = staleSince
	if all && some {
		s.timeCopies()
	}
	return withCopies(v, f)
}

// keepJudgement keeps what was said of the Secret and its copies while they cannot be read: at a change of leader, say.
func (s *sweep) keepJudgement(v Verdict) Verdict {
	if s.secrets != nil && (s.status.Cause == string(MirrorStale) || s.status.Cause == string(SecretOverwritten)) {
		v.State, v.Cause, v.Layer, v.Message = s.status.State, Cause(s.status.Cause), s.status.Layer, s.status.Message
	}
	return v
}

// timeCopies times a renewal until all copies hold it, once: for those that this process saw come.
func (s *sweep) timeCopies() {
	if s.m.copies.timed || len(s.status.Previous) == 0 || s.m.newest != s.leaf.Fingerprint {
		return
	}
	s.m.copies.timed = true
	s.Observe(StageMirrored, max(s.Now().Sub(s.came()), 0))
}

// lookAgain is when to look again, if that is sooner than the pods need it.
func (s *sweep) lookAgain(next time.Duration) time.Duration {
	m := &s.m.copies
	if !m.wrong.IsZero() && s.copies.overwritten == "" {
		next = min(next, overwrittenFor)
	}
	for i := range s.replicas {
		if r := &s.replicas[i]; r.copied && !r.Waiting && s.Now().Sub(r.Reached) < s.Deadline && s.m.summary.Current < s.m.summary.Total {
			s.m.wait = min(max(s.m.wait*3/2, firstSweep), lastSweep)
			return min(next, s.m.wait)
		}
	}
	if next < staleSweep && s.copies.known && s.waitsForCopiesAlone() {
		return jitter(staleSweep) // a change of theirs has it looked at
	}
	return next
}

// waitsForCopiesAlone reports whether all that is missing is copies that are behind, and the pods that use them.
func (s *sweep) waitsForCopiesAlone() bool {
	behind := false
	for i := range s.copies.found {
		m := &s.copies.found[i]
		behind = behind || m.Behind() && s.copies.counts(m)
	}
	if !behind || s.copies.overwritten != "" || !s.m.copies.wrong.IsZero() {
		return false
	}
	for i := range s.replicas {
		if r := &s.replicas[i]; r.state() != Current && (!r.copied || !r.Waiting) {
			return false
		}
	}
	return true
}
