package delivery

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// gentleFor is how long an agent that can do something gentler has for it, before its pod's turn to restart comes.
const gentleFor = 15 * time.Second

// roll gives permits to agents that restart their pods: in each workload to one after the other.
func (s *sweep) roll(ctx context.Context) error {
	groups := map[string][]*Pod{}
	for _, p := range s.ownPods() {
		groups[p.Workload] = append(groups[p.Workload], p)
	}
	var trouble []error
	for workload, pods := range groups {
		restarts := false
		for _, p := range pods {
			restarts = restarts || p.Restarts()
		}
		if restarts {
			trouble = append(trouble, s.rollOne(ctx, workload, pods))
		}
	}
	return errors.Join(trouble...)
}

// rollOne lets the next pods of a workload restart, as many as may be away together, and marks those that wait for their
// turn.
func (s *sweep) rollOne(ctx context.Context, workload string, pods []*Pod) error {
	now := s.Now()
	members, byName := make([]member, 0, len(pods)), map[string]*Pod{}
	for _, p := range pods {
		m := s.member(p, now)
		s.follow(p, s.key, m.permitted && !m.proven, m.since)
		members, byName[p.Name] = append(members, m), p
	}
	t := nextTurn(members, s.atATime(workload), now, s.Deadline)
	mine, full := s.takeTurn(workload, t), ""
	for t.next != "" && mine && full == "" {
		p := byName[t.next]
		if full = s.reserve(p, s.key, now); full != "" {
			break
		}
		if err := s.permit(ctx, p, now); err != nil {
			return err
		}
		for i := range members {
			if members[i].name == p.Name {
				members[i].permitted, members[i].since = true, now
			}
		}
		t = nextTurn(members, s.atATime(workload), now, s.Deadline)
	}
	if full != "" {
		t.next = ""
	}
	if t.failed != "" {
		s.tell("failed "+string(byName[t.failed].UID)+string(s.leaf.Fingerprint), "RestartStopped", fmt.Sprintf(
			"pod %s was to restart and does not serve serial %s after %s; no other pod of %s restarts until it does", t.failed, s.leaf.Serial, s.Deadline, workload))
	}
	s.mark(workload, members, byName, t, full)
	return nil
}

// permit lets a pod restart.
func (s *sweep) permit(ctx context.Context, p *Pod, now time.Time) error {
	s.m.pods[p.UID].poked = now
	if err := s.annotate(ctx, p, true); err != nil {
		s.leave(p.UID, s.key)
		return err
	}
	s.m.pods[p.UID].permitted = now
	s.m.wait = 0
	s.Log.Info("A pod may restart to take up its certificate", "namespace", p.Namespace, "pod", p.Name, "certificate", s.key.Name)
	return nil
}

// atATime is how many pods of a workload may be away together by its own strategy; 1 for whom nobody has one.
func (s *sweep) atATime(workload string) int {
	if w := s.workload(workload); w != nil {
		return max(int(w.AtATime), 1)
	}
	return 1
}

// member is what a turn depends on in a pod.
func (s *sweep) member(p *Pod, now time.Time) member {
	m := s.m.pods[p.UID]
	out := member{name: p.Name, rank: rank(p), ready: p.Ready, leaving: !p.DeletionTimestamp.IsZero()}
	if permitted(p.Deliver, s.leaf.Fingerprint) && m.permitted.IsZero() {
		m.permitted = now // by who led before, or by its owner
	}
	out.permitted, out.since = p.Restarts() && !out.leaving && !m.permitted.IsZero(), m.permitted
	out.proven = p.Ready && m.looks >= Confirmations
	r := s.byUID[p.UID]
	if r == nil || !p.Restarts() || younger(p.Started, s.at) {
		return out
	}
	state := r.state()
	out.stale = (state == Previous || state == Other) &&
		(!p.Gentle() || (!m.announced.IsZero() && now.Sub(m.announced) >= gentleFor))
	return out
}

// rank orders the pods of a StatefulSet from the highest ordinal down.
func rank(p *Pod) int {
	if !strings.HasPrefix(p.Workload, "StatefulSet/") {
		return 0
	}
	ordinal, err := strconv.Atoi(p.Name[strings.LastIndexByte(p.Name, '-')+1:])
	if err != nil {
		return 0
	}
	return -ordinal
}

// mark tells the assessment who waits for a turn. With a failure, or when for too long nobody could go, nobody waits any
// longer. full is the PodDisruptionBudget that has no room, if one has not.
func (s *sweep) mark(workload string, members []member, byName map[string]*Pod, t turn, full string) {
	waits := t.failed == ""
	stale, overdue, now := false, false, s.Now()
	for _, m := range members {
		stale = stale || (m.stale && !m.permitted)
	}
	if blocked := stale && !t.busy && t.next == ""; !blocked {
		delete(s.m.blocked, workload)
	} else if since, known := s.m.blocked[workload]; !known {
		s.m.blocked[workload] = now
	} else if now.Sub(since) >= s.Deadline {
		waits, overdue = false, true
	}
	for _, m := range members {
		if r := s.byUID[byName[m.name].UID]; r != nil {
			r.Failed = m.name == t.failed
			r.Waiting = waits && (m.stale || (m.permitted && !m.proven))
			r.Blocked = overdue && m.stale && !m.permitted
			r.Full = full
		}
	}
}

// takeTurn reports whether this Certificate may have pods of a workload restart: a pod may use several, and they must not
// restart two pods at a time together.
func (s *sweep) takeTurn(workload string, t turn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := s.key.Namespace + "/" + workload
	holder, held := s.rolling[name]
	switch {
	case held && holder != s.key:
		return false
	case t.busy || t.next != "":
		s.rolling[name] = s.key
	default:
		delete(s.rolling, name)
	}
	return true
}
