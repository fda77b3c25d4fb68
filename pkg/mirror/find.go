package mirror

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/certwire/certwire/pkg/probe"
)

// State is what a copy holds: a closed set, fit for a metric label.
type State string

// The states of a copy.
const (
	Current  State = "current"  // the leaf that was issued last
	Previous State = "previous" // one that was issued before it
	Foreign  State = "foreign"  // another certificate
	Empty    State = "empty"    // none that can be read
)

// States returns all of them, the worst first.
func States() []State { return []State{Previous, Foreign, Empty, Current} }

// Source is a Certificate's own Secret, and what should be in its copies.
type Source struct {
	Namespace, Name string
	// UID is the Secret's; empty when it is not known.
	UID types.UID
	// Offers are what [Offers] returns for the Secret, or for the Certificate's secretTemplate; nil when it is not known
	// whether there are any.
	Offers map[string]string
	// Leaf is what was issued last; Previous are the fingerprints of leaves before it.
	Leaf     probe.Leaf
	Previous []probe.Fingerprint
}

// Keys are the index keys, see [Secret.Keys], of everything that can be a copy.
func (s *Source) Keys() []string {
	keys := []string{"of " + s.Namespace + "/" + s.Name, "name " + s.Name, leafKey(s.Leaf.Fingerprint)}
	if s.UID != "" {
		keys = append(keys, "uid "+string(s.UID))
	}
	for _, f := range s.Previous {
		keys = append(keys, leafKey(f))
	}
	return keys
}

// Mirror is a copy.
type Mirror struct {
	Namespace, Name string
	Tool            Tool
	// By is the name of the tool's object that makes the copy, where that is known.
	By    string
	State State
	// Leaf is what the copy holds; nil when it holds none.
	Leaf *probe.Leaf
	// Written is when its data was changed last, as far as is known.
	Written time.Time
}

// Behind reports whether the copy does not hold the newest leaf.
func (m *Mirror) Behind() bool { return m.State != Current }

// Ours reports whether the copy holds a leaf of the Certificate, be it an old one.
func (m *Mirror) Ours() bool { return m.State == Current || m.State == Previous }

// Key is namespace/name.
func (m *Mirror) Key() string { return m.Namespace + "/" + m.Name }

// Find returns the copies of a source among other Secrets: those that are behind first, then by namespace and name. Among
// may hold anything, also the same Secret several times. Owned reports whether a Certificate writes to the Secret of that
// namespace and name, which is no copy then, whatever is on it or in it.
//
// A Secret is a copy when a tool's mark leads to the source, or when it holds a leaf that is or was the Certificate's.
func Find(s Source, among []*Secret, owned func(namespace, name string) bool) []Mirror {
	found := map[string]Mirror{}
	for _, secret := range among {
		if secret.Namespace == s.Namespace && secret.Name == s.Name || owned(secret.Namespace, secret.Name) {
			continue
		}
		if m, ok := s.mirror(secret); ok {
			found[secret.Key()] = m
		}
	}
	out := make([]Mirror, 0, len(found))
	for _, m := range found {
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b Mirror) int {
		return cmp.Or(
			cmp.Compare(slices.Index(States(), a.State), slices.Index(States(), b.State)),
			strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return out
}

// mirror says what a Secret is to the source; false when it is nothing.
func (s *Source) mirror(secret *Secret) (Mirror, bool) {
	m := Mirror{Namespace: secret.Namespace, Name: secret.Name, Tool: Content, Leaf: secret.Leaf, Written: secret.Written}
	named := false
	for _, mark := range secret.Marks {
		if s.leadsTo(secret, mark) {
			m.Tool, m.By, named = mark.Tool, mark.By, true
			break
		}
	}
	m.State = s.state(secret.Leaf, named)
	if named {
		return m, true
	}
	if len(secret.Marks) > 0 { // they do not lead here, but what it holds does
		m.Tool, m.By = secret.Marks[0].Tool, secret.Marks[0].By
	}
	return m, m.Ours()
}

// leadsTo reports whether a mark says that the Secret is a copy of the source.
func (s *Source) leadsTo(secret *Secret, m Mark) bool {
	switch {
	case m.UID != "" && m.UID == s.UID:
		return true
	case m.pushed:
		return secret.Name == s.Name && pushes(s.Offers, secret.Namespace)
	case m.Of == "" || m.elsewhere:
		return false
	default:
		// A source that was deleted and made again has another UID under the same name.
		return m.Of == s.Namespace+"/"+s.Name
	}
}

// state says what a leaf is to the source. An older one with the same names was the Certificate's as well, if a mark leads
// there; two independent Certificates may have the same names.
func (s *Source) state(leaf *probe.Leaf, named bool) State {
	switch {
	case leaf == nil:
		return Empty
	case leaf.Fingerprint == s.Leaf.Fingerprint:
		return Current
	case slices.Contains(s.Previous, leaf.Fingerprint):
		return Previous
	case named && slices.Equal(leaf.Names, s.Leaf.Names) && leaf.NotBefore.Before(s.Leaf.NotBefore):
		return Previous
	default:
		return Foreign
	}
}
