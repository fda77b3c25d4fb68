package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/inventory"
	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/pkg/reload/spec"
)

const (
	// pokeAgain is how long a pod is not written to once more with the same word: the cache is behind.
	pokeAgain = 5 * time.Second
	// gentleFor is how long an agent that can do something gentler has for it, before its pod's turn to restart comes.
	gentleFor = 15 * time.Second
)

// poke annotates the pods that do not serve the leaf and do not know of it. The kubelet then brings a changed Secret at
// once, and not when it next comes by. Agents that restart their pod do not get their permit here, see roll.
func (s *sweep) poke(ctx context.Context) error {
	var mu sync.Mutex
	var trouble []error
	var poking sync.WaitGroup
	room := make(chan struct{}, patches)
	for _, p := range s.pods {
		m := s.m.pods[p.UID]
		if announced(p.Deliver, s.leaf.Fingerprint) {
			if m.announced.IsZero() {
				m.announced = s.Now()
			}
			continue
		}
		if !s.wantsPoke(p, m) {
			continue
		}
		m.poked = s.Now()
		poking.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			if err := s.annotate(ctx, p, !p.Restarts()); err != nil {
				mu.Lock()
				trouble = append(trouble, err)
				mu.Unlock()
			}
		})
	}
	poking.Wait()
	return errors.Join(trouble...)
}

func (s *sweep) wantsPoke(p *Pod, m *podMemory) bool {
	switch {
	case !p.DeletionTimestamp.IsZero(), p.Started.IsZero(), younger(p.Started, s.at), !p.TakesPokes(s.issued.Secret):
		return false
	case p.Restarts() && !p.Gentle():
		return false
	case m.looks > 0 || s.Now().Sub(m.poked) < pokeAgain:
		return false
	}
	// Before the first look at a renewal everybody is behind. Otherwise what was seen decides: who cannot be seen is left
	// to the kubelet.
	r := s.byUID[p.UID]
	return r == nil && s.byUID == nil || r != nil && r.diverges()
}

// roll gives permits to agents that restart their pods: in each workload to one after the other.
func (s *sweep) roll(ctx context.Context) error {
	groups := map[string][]*Pod{}
	for _, p := range s.pods {
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

// rollOne lets the next pod of a workload restart, if it may, and marks those that wait for their turn.
func (s *sweep) rollOne(ctx context.Context, workload string, pods []*Pod) error {
	now := s.Now()
	members, byName := make([]member, 0, len(pods)), map[string]*Pod{}
	for _, p := range pods {
		members, byName[p.Name] = append(members, s.member(p, now)), p
	}
	t := nextTurn(members, now, s.Deadline)
	mine := s.takeTurn(workload, t)
	if t.next != "" && mine {
		p := byName[t.next]
		s.m.pods[p.UID].poked = now
		if err := s.annotate(ctx, p, true); err != nil {
			return err
		}
		s.m.pods[p.UID].permitted = now
		s.m.wait = 0
		s.Log.Info("A pod may restart to take up its certificate", "namespace", p.Namespace, "pod", p.Name, "certificate", s.key.Name)
	}
	if t.failed != "" {
		s.tell("failed "+string(byName[t.failed].UID)+string(s.leaf.Fingerprint), "RestartStopped", fmt.Sprintf(
			"pod %s was to restart and does not serve serial %s after %s; no other pod of %s restarts until it does", t.failed, s.leaf.Serial, s.Deadline, workload))
	}
	s.mark(workload, members, byName, t, now)
	return nil
}

// member is what a turn depends on in a pod.
func (s *sweep) member(p *Pod, now time.Time) member {
	m := s.m.pods[p.UID]
	out := member{name: p.Name, ready: p.Ready, leaving: !p.DeletionTimestamp.IsZero()}
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

// mark tells the assessment who waits for a turn. With a failure, or when for too long nobody could go, nobody waits any
// longer.
func (s *sweep) mark(workload string, members []member, byName map[string]*Pod, t turn, now time.Time) {
	waits := t.failed == ""
	stale := false
	for _, m := range members {
		stale = stale || (m.stale && !m.permitted)
	}
	if blocked := stale && !t.busy && t.next == ""; !blocked {
		delete(s.m.blocked, workload)
	} else if since, known := s.m.blocked[workload]; !known {
		s.m.blocked[workload] = now
	} else if now.Sub(since) >= s.Deadline {
		waits = false
	}
	for _, m := range members {
		if r := s.byUID[byName[m.name].UID]; r != nil {
			r.Failed = m.name == t.failed
			r.Waiting = waits && (m.stale || (m.permitted && !m.proven))
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

// annotate writes the word for the leaf to a pod, as fast as the cluster-wide rate allows. A pod that is gone is no error.
func (s *sweep) annotate(ctx context.Context, p *Pod, permit bool) error {
	if err := s.limiter.Wait(ctx); err != nil {
		return err
	}
	var others []probe.Fingerprint
	for _, other := range s.othersOf(p) {
		others = append(others, other.Leaf.Fingerprint)
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid":         p.UID, // not a successor of the same name
		"annotations": map[string]string{spec.DeliverKey: withWord(p.Deliver, s.leaf.Fingerprint, permit, others)},
	}})
	if err != nil {
		return fmt.Errorf("building the annotation: %w", err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name}}
	if err := s.Client.Patch(ctx, pod, client.RawPatch(types.MergePatchType, patch)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("annotating pod %s: %w", p.Name, err)
	}
	return nil
}

// othersOf are the other Certificates whose Secrets a pod uses, as far as it is known what was issued.
func (s *sweep) othersOf(p *Pod) []inventory.Issued {
	var out []inventory.Issued
	for _, secret := range p.Secrets {
		for _, c := range s.Cluster.Certificates(p.Namespace, secret) {
			if c.Name == s.key.Name {
				continue
			}
			if other, ok := s.Cluster.Issued(p.Namespace, c.Name); ok && other.Leaf != nil {
				out = append(out, other)
			}
		}
	}
	return out
}
