package delivery

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/mirror"
	"github.com/certwire/certwire/pkg/probe"
)

// Bounds on what whoever may write Secrets anywhere can have one Certificate's delivery do.
const (
	// maxMirrors is how many copies are looked at, and maxMirrorsListed how many are written down.
	maxMirrors, maxMirrorsListed = 500, 20
	// maxText is the schema's bound on a message, in bytes.
	maxText = 1024
	// maxMirrorPods is how many pods that use copies are looked at.
	maxMirrorPods = 200
)

// copies are the copies of one Certificate's Secret, as one sweep sees them.
type copies struct {
	// known is false while nobody can tell, for Secrets are not read.
	known  bool
	source mirror.Source
	found  []mirror.Mirror
	// via are those by which pods outside of s.podsOf come to the certificate, by the pods' UIDs.
	via map[types.UID]*via
	// used are the copies that something refers to, by namespace/name.
	used map[string]bool
	// overwritten says what is wrong with the Certificate's own Secret; empty when nothing is.
	overwritten string
}

// via is a copy as a pod uses it.
type via struct {
	secret string
	// behind says that the copy does not hold the leaf; reached is since when it does.
	behind  bool
	reached time.Time
}

// copiesMemory is what is remembered of the copies for one leaf.
type copiesMemory struct {
	of probe.Fingerprint
	// behind is since when a copy is, and reached since when it has held the leaf, by namespace/name.
	behind, reached map[string]time.Time
	// timed says that the copies of this leaf were timed.
	timed bool
	// wrong is since when the Certificate's own Secret has held something else, and looks how many have shown it.
	wrong time.Time
	looks int
	held  probe.Fingerprint
}

// findCopies looks which Secrets are copies, and adds the pods that use them.
func (s *sweep) findCopies() {
	s.copies = copies{via: map[types.UID]*via{}, used: map[string]bool{}}
	if s.secrets == nil || !s.secrets.synced() {
		return
	}
	c := &s.copies
	c.known = true
	c.source = mirror.Source{Namespace: s.key.Namespace, Name: s.issued.Secret, Leaf: s.leaf, Previous: s.previous()}
	own := s.secrets.get(s.key.Namespace, s.issued.Secret)
	if own != nil {
		c.source.UID, c.source.Offers = own.UID, own.Offers
		if c.source.Offers == nil {
			c.source.Offers = map[string]string{} // it is known that there are none
		}
	}
	c.found = mirror.Find(c.source, s.secrets.at(c.source.Keys()), func(namespace, name string) bool {
		return len(s.Cluster.Certificates(namespace, name)) > 0
	})
	c.found = c.found[:min(len(c.found), maxMirrors)]
	keys := make([]string, 0, len(c.found))
	for i := range c.found {
		keys = append(keys, c.found[i].Key())
	}
	s.secrets.remember(s.key, keys)
	if s.m.copies.of != s.leaf.Fingerprint {
		s.m.copies = copiesMemory{of: s.leaf.Fingerprint, behind: map[string]time.Time{}, reached: map[string]time.Time{}}
	}
	s.trackCopies()
	s.addPods()
	c.overwritten = s.lookAtOwn(own)
}

func (s *sweep) previous() []probe.Fingerprint {
	out := make([]probe.Fingerprint, 0, len(s.status.Previous))
	for _, fingerprint := range s.status.Previous {
		out = append(out, probe.Fingerprint(fingerprint))
	}
	return out
}

// trackCopies remembers since when each copy has held the leaf, or has not. One that holds an older leaf is behind since the
// issuance, unless it was seen to hold this one.
func (s *sweep) trackCopies() {
	m, now, there := &s.m.copies, s.Now(), map[string]bool{}
	for i := range s.copies.found {
		c := &s.copies.found[i]
		key := c.Key()
		there[key] = true
		_, was := m.behind[key]
		switch {
		case !c.Behind() && m.reached[key].IsZero():
			m.reached[key] = s.at
			if was {
				m.reached[key], s.m.wait = now, 0 // look often: its pods come next
			} else if c.Written.After(s.at) {
				m.reached[key] = c.Written
			}
			delete(m.behind, key)
		case c.Behind() && !was:
			since := now
			if m.reached[key].IsZero() && (c.State == mirror.Previous || s.saidBehind(c)) {
				since = s.at
			}
			m.behind[key] = since
			delete(m.reached, key)
		}
	}
	for _, times := range []map[string]time.Time{m.behind, m.reached} {
		for key := range times {
			if !there[key] {
				delete(times, key)
			}
		}
	}
}

// saidBehind reports whether the delivery says so already: another leader saw it before.
func (s *sweep) saidBehind(m *mirror.Mirror) bool {
	return s.status.Cause == string(MirrorStale) && s.status.State == v1alpha1.DeliveryStale && slices.ContainsFunc(s.status.Mirrors, func(listed v1alpha1.DeliveryMirror) bool {
		return listed.Namespace == m.Namespace && listed.Name == m.Name && listed.State == string(m.State)
	})
}

// addPods adds the pods that use a copy that holds a leaf of this Certificate. To what holds another one, or none, the
// names in the certificate are not told.
func (s *sweep) addPods() {
	have := map[types.UID]bool{}
	for _, p := range s.pods {
		have[p.UID] = true
	}
	for i := range s.copies.found {
		c := &s.copies.found[i]
		for _, p := range s.podsOf(c.Namespace, c.Name) {
			s.copies.used[c.Key()] = true
			if have[p.UID] || !c.Ours() || len(s.copies.via) >= maxMirrorPods {
				continue
			}
			have[p.UID] = true
			s.pods = append(s.pods, p)
			s.copies.via[p.UID] = s.viaCopy(c)
		}
	}
}

// ownPods are the pods that use the Secret itself. The others are not the owner's to restart.
func (s *sweep) ownPods() []*Pod {
	return slices.DeleteFunc(slices.Clone(s.pods), func(p *Pod) bool { return s.copies.via[p.UID] != nil })
}

// secretOf is the Secret by which a pod comes to the certificate, and when that was written, as far as is known.
func (s *sweep) secretOf(p *Pod) (name string, written time.Time) {
	if v := s.copies.via[p.UID]; v != nil {
		if v.reached.After(s.at) {
			return v.secret, v.reached
		}
		return v.secret, s.at
	}
	return s.issued.Secret, s.at
}

// isBehind reports whether the copy that a pod uses does not hold the leaf. The pod can then do nothing about it.
func (s *sweep) isBehind(p *Pod) bool {
	v := s.copies.via[p.UID]
	return v != nil && v.behind
}

func (s *sweep) viaCopy(c *mirror.Mirror) *via {
	return &via{secret: c.Name, behind: c.Behind(), reached: s.m.copies.reached[c.Key()]}
}

// tell tells a replica of the copy by which it comes to the certificate. One whose copy is behind waits for that.
func (v *via) tell(r *Replica) {
	if v != nil {
		r.copied, r.Reached, r.Waiting = true, v.reached, v.behind
	}
}

// throughCopy tells a replica of the copy that its pod uses.
func (s *sweep) throughCopy(p *Pod, r *Replica) {
	if p.Namespace != s.key.Namespace {
		r.Namespace = p.Namespace
	}
	s.copies.via[p.UID].tell(r)
}
