package chain

import (
	"slices"
	"time"
)

// State is how a node stands against what was issued.
type State string

// The states of a node.
const (
	Current State = "current"
	Stale   State = "stale"
	Unknown State = "unknown"
	// Assumed is a Secret that could not be read, and that nothing speaks against.
	Assumed State = "assumed"
	// Aside is a place that serves nobody now, such as a pod that is not Ready.
	Aside State = "aside"
)

// Node is one place on the way, and what is fed from it.
type Node struct {
	Layer string `json:"layer"`
	// Name is its kind and name.
	Name  string `json:"name"`
	State State  `json:"state"`
	Leaf  Leaf   `json:"certificate,omitzero"`
	// Note is what else is to be told.
	Note string `json:"note,omitempty"`
	// First marks the nodes of the first layer that is behind.
	First bool `json:"first,omitempty"`
	// Remedies are the commands that help; none where nothing is wrong.
	Remedies []string `json:"remedies,omitempty"`
	Children []*Node  `json:"children,omitempty"`
}

// Tree is the whole way, and what follows.
type Tree struct {
	// Certificate is namespace/name.
	Certificate string `json:"certificate"`
	// Verdict is current when everything that was found serves what was issued, stale when something is known not to, and
	// unknown when something could not be seen.
	Verdict State `json:"verdict"`
	// Layer is the first that is behind; empty when none is known to be.
	Layer string `json:"layer,omitempty"`
	// Text says so in a sentence.
	Text string `json:"text"`
	// Remedies are commands, at most 5, in the order of the way.
	Remedies []string `json:"remedies,omitempty"`
	// Wire says where it is known from what is served.
	Wire   string   `json:"wire"`
	Chain  *Node    `json:"chain"`
	Unseen []string `json:"unseen,omitempty"`
}

// maxRemedies bounds what is told at once.
const maxRemedies = 5

// ExitCode is 0 for current, 1 for stale, and 2 for unknown.
func (t *Tree) ExitCode() int {
	switch t.Verdict {
	case Current:
		return 0
	case Stale:
		return 1
	default:
		return 2
	}
}

// grace is how much younger than the certificate a pod has to be until it must have begun with it: the kubelet may be that
// far behind.
const grace = 10 * time.Second

// Assemble draws the tree.
func Assemble(f Facts) *Tree {
	a := &assembly{f: f, want: f.Certificate.Leaf}
	if a.want.Serial == "" { // nobody knows any more what was issued: what was written stands for it
		a.want = f.Secret.Leaf
	}
	root := a.certificate()
	secret := a.secret()
	root.Children = []*Node{secret}
	for _, m := range f.Mirrors {
		secret.Children = append(secret.Children, a.mirror(m))
	}
	secret.Children = append(secret.Children, a.groups("")...)
	t := &Tree{
		Certificate: f.Namespace + "/" + f.Certificate.Name, Wire: f.Wire, Chain: root, Unseen: slices.Clone(f.Unseen),
	}
	if f.MirrorsUnseen != "" {
		t.Unseen = append(t.Unseen, "mirrors of the Secret in other places: "+f.MirrorsUnseen)
	}
	t.judge(a)
	return t
}

// assembly carries what the parts of a tree have in common.
type assembly struct {
	f Facts
	// want is what should be everywhere.
	want Leaf
	// why says what is wrong with the issuance.
	why string
}

// found is what a walk down a tree finds.
type found struct {
	// behind are the nodes that are stale while nothing above them is.
	behind []*Node
	// seen and unseen count the places on the wire.
	seen, unseen int
}

func (f *found) walk(n *Node, above bool) {
	if n.State == Stale && !above {
		f.behind = append(f.behind, n)
	}
	if len(n.Children) == 0 && onWire(n.Layer) {
		switch n.State {
		case Current, Stale:
			f.seen++
		case Unknown:
			f.unseen++
		}
	}
	for _, c := range n.Children {
		// An issuance that is stuck is about the next certificate, and the others are held against this one.
		f.walk(c, above || n.State == Stale && n.Layer != LayerIssuance)
	}
}

// judge finds the first layer that is behind.
func (t *Tree) judge(a *assembly) {
	var f found
	f.walk(t.Chain, false)
	slices.SortStableFunc(f.behind, func(a, b *Node) int { return slices.Index(layers, a.Layer) - slices.Index(layers, b.Layer) })
	for _, n := range f.behind {
		for _, r := range n.Remedies {
			if !slices.Contains(t.Remedies, r) && len(t.Remedies) < maxRemedies {
				t.Remedies = append(t.Remedies, r)
			}
		}
	}
	switch {
	case len(f.behind) > 0:
		t.Verdict, t.Layer = Stale, f.behind[0].Layer
		for _, n := range f.behind {
			n.First = n.Layer == t.Layer
		}
	case f.seen == 0 || f.unseen > 0 || a.want.Serial == "":
		t.Verdict = Unknown
	default:
		t.Verdict = Current
	}
	t.Text = a.sentence(t, f)
}

func onWire(layer string) bool {
	return slices.Contains([]string{LayerPod, LayerFront, LayerPublic}, layer)
}
