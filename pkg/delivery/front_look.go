package delivery

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/certwire/certwire/pkg/front"
	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/pkg/reload/spec"
)

// maxServing bounds the replicas of one Certificate's fronts.
const maxServing = 512

// serving is a replica that serves for others, and where to look at it.
type serving struct {
	Replica

	places []front.Place
	pod    *Pod // of one that is called, which uses the Secret; nil otherwise
}

func frontPod(p *Pod) front.Pod {
	return front.Pod{Namespace: p.Namespace, Name: p.Name, UID: p.UID, IPs: p.IPs}
}

// findFronts returns a replica for each pod of each front, and one for each front that has none: of the Secret, and of the
// copies of it that hold a leaf of this Certificate. To who reads another copy, the names in the certificate are not told.
func (s *sweep) findFronts(live []*Pod) []serving {
	of := front.Certificate{Namespace: s.key.Namespace, Secret: s.issued.Secret, Names: s.leaf.Names}
	for _, p := range live {
		of.Pods = append(of.Pods, frontPod(p))
	}
	out := s.servingOf(front.Of(s.fronts, of), live)
	for i := range s.copies.found {
		c := &s.copies.found[i]
		of := front.Of(s.fronts, front.Certificate{Namespace: c.Namespace, Secret: c.Name, Names: s.leaf.Names})
		if len(of) == 0 {
			continue
		}
		s.copies.used[c.Key()] = true
		if !c.Ours() {
			continue
		}
		for _, one := range s.servingOf(of, nil) {
			s.viaCopy(c).tell(&one.Replica)
			out = append(out, one)
		}
		if len(out) >= maxServing {
			break
		}
	}
	return out[:min(len(out), maxServing)]
}

// servingOf are the replicas of fronts.
func (s *sweep) servingOf(fronts []front.Front, live []*Pod) (out []serving) {
	for _, f := range fronts {
		name := f.For(s.key.Namespace)
		if f.Missing != "" {
			out = append(out, serving{Replica: Replica{For: name, Missing: f.Missing, Endpoints: []Endpoint{{State: NoPort}}, key: name}})
		}
		for _, r := range f.Replicas {
			one := serving{
				Replica: Replica{Pod: r.Pod, For: name, Called: f.IsCaller(), Started: s.started(r.Namespace, r.Pod), key: string(r.UID) + " " + name},
				places:  r.Places,
			}
			if !f.IsCaller() && f.Created.After(one.Started) {
				one.Started = f.Created // a controller has its time for an Ingress that is new
			}
			if r.Namespace != s.key.Namespace {
				one.Namespace = r.Namespace
			}
			if at := slices.IndexFunc(live, func(p *Pod) bool { return p.UID == r.UID }); at >= 0 && f.IsCaller() {
				one.pod = live[at]
			}
			out = append(out, one)
		}
	}
	return out
}

// lookAtFront dials the places of one replica. Of one that is called, those stay that have to do with the certificate.
func (s *sweep) lookAtFront(ctx context.Context, of *serving) {
	seen := make([]*Endpoint, len(of.places))
	var looking sync.WaitGroup
	for i, place := range of.places {
		looking.Go(func() {
			target := probe.Target{Address: netip.AddrPortFrom(place.Address, place.Port).String(), ServerName: place.ServerName}
			result := s.one(ctx, target)
			e := Endpoint{
				Port:  spec.Endpoint{Port: place.Port, ServerName: place.ServerName}.String(),
				State: stateOf(result, s.leaf, s.previous()), Cause: result.Cause, Serial: result.Leaf.Serial,
				NotBefore: result.Leaf.NotBefore, NotAfter: result.Leaf.NotAfter,
			}
			switch {
			case !of.Called:
				s.shadow(&e, result, place)
			case !s.isCalledFor(&e, result, place, of.pod):
				return
			}
			seen[i] = &e
		})
	}
	looking.Wait()
	for _, e := range seen {
		if e != nil {
			of.Endpoints = append(of.Endpoints, *e)
		}
	}
}

// shadow finds out whose the certificate is that a controller serves in the place of this one.
func (s *sweep) shadow(e *Endpoint, r probe.Result, place front.Place) {
	switch e.State {
	case Previous, Other, Ahead, Foreign:
	default:
		return
	}
	if !slices.Contains(s.previous(), r.Leaf.Fingerprint) {
		if of := s.leaves.of(s.Cluster, r.Leaf.Fingerprint, s.Now()); of != "" && of != s.key.String() {
			e.Shadow = "Certificate " + of
		}
	}
	if e.Shadow == "" && place.Rival != "" {
		e.Shadow = place.Rival
	}
	if e.Shadow != "" && e.State == Ahead {
		e.State = Other // a newer one of somebody else's is not this one's next
	}
}

// isCalledFor reports whether what a caller is shown has to do with the certificate, and whether the caller takes it. A pod
// that uses the Secret may show its callers another certificate; if they take that, all is well.
func (s *sweep) isCalledFor(e *Endpoint, r probe.Result, place front.Place, p *Pod) bool {
	ours := e.State == Current || e.State == Previous
	if !ours && !covers(s.leaf.Names, place.ServerName) {
		return false
	}
	if r.State != probe.Served {
		return true
	}
	if !ours && (p == nil || s.belongsToAnother(p, r)) {
		return false
	}
	if len(place.Bundle) > 0 {
		if e.Distrust = front.Trusts(place.Bundle, r.Certificates, place.ServerName, s.Now()); e.Distrust != front.Trusted {
			e.State = Untrusted
			return true
		}
	}
	return ours
}

// covers reports whether a leaf is for a host (RFC 6125 section 6.4.3: a wildcard is for one label).
func covers(names []string, host string) bool {
	_, parent, _ := strings.Cut(host, ".")
	return slices.Contains(names, host) || slices.Contains(names, "*."+parent)
}

// keepFronts takes over what was seen, and remembers it. Who is gone is forgotten.
func (s *sweep) keepFronts(serving []serving, now time.Time) {
	there := map[string]bool{}
	for i := range serving {
		one := &serving[i]
		if len(one.Endpoints) == 0 {
			continue
		}
		there[one.key] = true
		m := s.m.fronts[one.key]
		if m == nil || m.of != s.leaf.Fingerprint {
			m = &podMemory{of: s.leaf.Fingerprint}
			s.m.fronts[one.key] = m
		}
		m.saw(&one.Replica, now)
		s.replicas = append(s.replicas, one.Replica)
	}
	for key := range s.m.fronts {
		if !there[key] {
			delete(s.m.fronts, key)
		}
	}
}

// leaves tell which Certificate a leaf is of.
type leaves struct {
	mu sync.Mutex
	at time.Time
	by map[probe.Fingerprint]string
}

// leavesFor is how long the answers are good: only what is wrong is asked for.
const leavesFor = 10 * time.Second

// of returns the Certificate as namespace/name, or nothing.
func (l *leaves) of(c Cluster, f probe.Fingerprint, now time.Time) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil || now.Sub(l.at) >= leavesFor {
		l.at, l.by = now, map[probe.Fingerprint]string{}
		for _, key := range c.AllIssued() {
			if i, ok := c.Issued(key.Namespace, key.Name); ok && i.Leaf != nil {
				l.by[i.Leaf.Fingerprint] = key.String()
			}
		}
	}
	return l.by[f]
}

// started is when a pod began, as far as is known.
func (r *run) started(namespace, name string) time.Time {
	if p := r.pod(namespace, name); p != nil {
		return p.Started
	}
	return time.Time{}
}

func (r *run) pod(namespace, name string) *Pod {
	object, ok, err := r.pods.GetByKey(namespace + "/" + name)
	if err != nil || !ok {
		return nil
	}
	p, _ := object.(*Pod)
	return p
}
