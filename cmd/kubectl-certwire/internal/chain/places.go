package chain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// groups are the nodes of those who serve one Secret: a node for each workload, front or public name, and below it one for
// each place.
func (a *assembly) groups(secret string) []*Node {
	var out []*Node
	byName := map[string]*Node{}
	places := map[*Node][]Place{}
	for _, p := range a.f.Places {
		if p.Secret != secret {
			continue
		}
		name := groupName(p, a.f.Namespace)
		n := byName[name]
		if n == nil {
			n = &Node{Layer: p.Layer, Name: name}
			byName[name] = n
			out = append(out, n)
		}
		n.Children = append(n.Children, a.place(p))
		places[n] = append(places[n], p)
	}
	for _, n := range out {
		a.sum(n, places[n])
	}
	slices.SortStableFunc(out, func(a, b *Node) int { return slices.Index(layers, a.Layer) - slices.Index(layers, b.Layer) })
	return out
}

func groupName(p Place, namespace string) string {
	switch {
	case p.Layer == LayerPublic:
		return "Public " + p.Host
	case p.For != "":
		return spaced(p.For)
	case p.Namespace != "" && p.Namespace != namespace:
		kind, name, _ := strings.Cut(p.Workload, "/")
		return kind + " " + p.Namespace + "/" + name
	default:
		return spaced(cmp.Or(p.Workload, "Pods"))
	}
}

// spaced turns Deployment/web into Deployment web, and Gateway/edge/public into Gateway edge/public.
func spaced(s string) string { return strings.Replace(s, "/", " ", 1) }

// words are what a place's state means for people. A State that is not Stale stands for every place in that state.
var words = map[string]struct {
	state State
	note  string
}{
	"current":     {Current, ""},
	"previous":    {Stale, "it serves what was before"},
	"other":       {Stale, "it serves another certificate with some of the names"},
	"default":     {Stale, "it serves the certificate that it makes up when it has none"},
	"untrusted":   {Stale, "what it serves does not fit the caBundle that its callers use"},
	"foreign":     {Stale, "it serves a certificate with none of the names"},
	"ahead":       {Unknown, "it serves a newer certificate than cert-manager knows of"},
	"unreachable": {Unknown, "no certificate was seen"},
	"not-tls":     {Unknown, "it answers, but not with TLS"},
	"not-ready":   {Aside, "not Ready, so it serves nobody"},
	"no-port":     {Unknown, "nobody knows where it serves TLS: certwire.dev/verify, or a containerPort, says so"},
	Unseen:        {Unknown, "nobody has looked"},
}

func (a *assembly) place(p Place) *Node {
	word, known := words[p.State]
	if !known {
		word.state, word.note = Unknown, p.State
	}
	n := &Node{Layer: p.Layer, Name: a.placeName(p), State: word.state, Leaf: p.Leaf, Note: word.note}
	switch {
	case p.State == "foreign" && p.Guessed:
		n.State, n.Note = Unknown, "another certificate is served there, which may be the pod's own: certwire.dev/verify names the port that is meant"
	case p.State == "foreign" && p.Layer == LayerPublic:
		n.State, n.Note = Unknown, "another certificate is served for this name: something before the cluster may end TLS"
	case n.State == Stale && a.young(p):
		n.Note += ", though it is younger than the Secret: a restart does not help"
	}
	switch {
	case p.Cause != "" && p.State == Unseen:
		n.Note = tidy(p.Cause)
	case p.Cause != "":
		n.Note += " (" + tidy(p.Cause) + ")"
	}
	if n.State == Current && n.Leaf.Serial == a.want.Serial && n.Leaf.NotAfter.IsZero() {
		n.Leaf.NotAfter = a.want.NotAfter
	}
	return n
}

// young reports that a pod must have begun with the certificate.
func (a *assembly) young(p Place) bool {
	issued := a.f.Certificate.Issued
	return p.Layer == LayerPod && p.Secret == "" && !issued.IsZero() && p.Started.After(issued.Add(grace))
}

func (a *assembly) placeName(p Place) string {
	if p.Layer == LayerPublic {
		return cmp.Or(p.Pod, p.Host+":"+p.Port)
	}
	name := "Pod " + p.Pod
	if p.Pod == "" {
		return "nobody"
	}
	if p.Namespace != "" && p.Namespace != a.f.Namespace {
		name = "Pod " + p.Namespace + "/" + p.Pod
	}
	if p.Port != "" {
		name += " " + p.Port
	}
	return name
}

// sum says of a group what its places say together, and what helps.
func (a *assembly) sum(n *Node, places []Place) {
	count := map[State]int{}
	for _, c := range n.Children {
		count[c.State]++
	}
	total := len(n.Children) - count[Aside]
	switch {
	case count[Stale] > 0:
		n.State = Stale
	case count[Unknown] > 0:
		n.State = Unknown
	case count[Current] > 0:
		n.State = Current
	default:
		n.State = Unknown
	}
	n.Note = fmt.Sprintf("%d of %d current", count[Current], total)
	if total == 0 {
		n.Note = "nothing is Ready"
	}
	if n.State == Stale && !(a.f.UnderWay && n.Layer == LayerPod) { // patience helps then
		n.Remedies = a.remedies(places)
	}
	order := []State{Stale, Unknown, Aside, Current}
	slices.SortStableFunc(n.Children, func(a, b *Node) int { return slices.Index(order, a.State) - slices.Index(order, b.State) })
}

// remedies are the commands that help a group of which some are stale.
func (a *assembly) remedies(places []Place) []string {
	p, worst := Place{}, 0
	for _, each := range places {
		rank := 0
		if a.place(each).State == Stale {
			rank = 1
			if a.young(each) {
				rank = 2
			}
		}
		if rank > worst {
			p, worst = each, rank
		}
	}
	namespace := cmp.Or(p.Namespace, a.f.Namespace)
	switch {
	case p.State == "untrusted":
		return []string{"kubectl rollout restart deployment/cert-manager-cainjector -n cert-manager"}
	case p.Layer == LayerPublic:
		return []string{"nslookup " + p.Host}
	case p.Layer == LayerFront && p.State == "default":
		return a.reads(p, namespace)
	case p.State == "default" || p.State == "foreign" || a.young(p):
		return []string{fmt.Sprintf("kubectl get pod %s -n %s -o jsonpath='{.spec.volumes}'", p.Pod, namespace)}
	}
	kind, name, _ := strings.Cut(p.Workload, "/")
	kind = strings.ToLower(kind)
	switch {
	case !slices.Contains([]string{"deployment", "statefulset", "daemonset"}, kind):
		return []string{fmt.Sprintf("kubectl describe pod %s -n %s", p.Pod, namespace)}
	case p.Layer == LayerFront:
		return append([]string{fmt.Sprintf("kubectl rollout restart %s/%s -n %s", kind, name, namespace)}, a.reads(p, namespace)...)
	default:
		return []string{
			fmt.Sprintf("kubectl rollout restart %s/%s -n %s", kind, name, namespace),
			fmt.Sprintf("kubectl certwire explain %s/%s -n %s", kind, name, namespace), // why nothing reloaded it
		}
	}
}

// reads asks whether a front may read the Secret, and where that cannot be asked shows what it is configured with.
func (a *assembly) reads(p Place, namespace string) []string {
	if p.ServiceAccount != "" {
		return []string{fmt.Sprintf("kubectl auth can-i get secrets -n %s --as=system:serviceaccount:%s:%s", a.f.Namespace, namespace, p.ServiceAccount)}
	}
	kind, name, _ := strings.Cut(p.For, "/")
	if at, inner, ok := strings.Cut(name, "/"); ok {
		return []string{fmt.Sprintf("kubectl describe %s %s -n %s", strings.ToLower(kind), inner, at)}
	}
	return []string{fmt.Sprintf("kubectl describe %s %s -n %s", strings.ToLower(kind), name, a.f.Namespace)}
}
