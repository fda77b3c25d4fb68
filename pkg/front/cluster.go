package front

import (
	"slices"
)

// Cluster is what is asked of a cluster. What is returned is not changed; unknown is nil. Implementations are as safe
// for concurrent use as their users need.
type Cluster interface {
	// Ingresses are those of a namespace that name a Secret, and IngressesFor those anywhere that name one for a host.
	Ingresses(namespace, secret string) []*Ingress
	IngressesFor(host string) []*Ingress
	IngressClasses() []*IngressClass
	// Gateways are the Gateways and ListenerSets anywhere that name a Secret, and Gateway is the Gateway of a name.
	Gateways(namespace, secret string) []*Gateway
	Gateway(namespace, name string) *Gateway
	// Grants are the ReferenceGrants of a namespace.
	Grants(namespace string) []*Grant
	// Callers are those who call a Service.
	Callers(namespace, service string) []*Caller
	Service(namespace, name string) *Service
	// ServicesAt are those with an address (see [Service]), ServicesOf those whose labels name a Gateway.
	ServicesAt(address string) []*Service
	ServicesOf(namespace, gateway string) []*Service
	// Slices are those of a Service, SlicesOf those that name a pod.
	Slices(namespace, service string) []*Slice
	SlicesOf(namespace, pod string) []*Slice
	// Pod is a running pod.
	Pod(namespace, name string) (Pod, bool)
}

// Lists is a Cluster of plain lists. Fill it with Add and AddPod, then ask: concurrently, if nothing is added any more.
type Lists struct {
	ingresses []*Ingress
	classes   []*IngressClass
	gateways  []*Gateway
	grants    []*Grant
	callers   []*Caller
	services  []*Service
	slices    []*Slice
	pods      map[string]Pod
}

var _ Cluster = (*Lists)(nil)

// Add adds an object as [New] takes it. It returns false for one that is of no use here.
func (l *Lists) Add(object any) bool {
	switch kept := New(object).(type) {
	case *Ingress:
		l.ingresses = append(l.ingresses, kept)
	case *IngressClass:
		l.classes = append(l.classes, kept)
	case *Gateway:
		l.gateways = append(l.gateways, kept)
	case *Grant:
		l.grants = append(l.grants, kept)
	case *Caller:
		l.callers = append(l.callers, kept)
	case *Service:
		l.services = append(l.services, kept)
	case *Slice:
		l.slices = append(l.slices, kept)
	default:
		return false
	}
	return true
}

// AddPod adds a running pod.
func (l *Lists) AddPod(p Pod) {
	if l.pods == nil {
		l.pods = map[string]Pod{}
	}
	l.pods[p.Namespace+"/"+p.Name] = p
}

func those[T any](of []T, is func(T) bool) []T {
	var out []T
	for _, o := range of {
		if is(o) {
			out = append(out, o)
		}
	}
	return out
}

func first[T any](of []*T, is func(*T) bool) *T {
	if at := slices.IndexFunc(of, is); at >= 0 {
		return of[at]
	}
	return nil
}

// Ingresses implements [Cluster].
func (l *Lists) Ingresses(namespace, secret string) []*Ingress {
	return those(l.ingresses, func(i *Ingress) bool { return i.Namespace == namespace && slices.Contains(i.Secrets(), secret) })
}

// IngressesFor implements [Cluster].
func (l *Lists) IngressesFor(host string) []*Ingress {
	return those(l.ingresses, func(i *Ingress) bool { return slices.Contains(i.Hosts(), host) })
}

// IngressClasses implements [Cluster].
func (l *Lists) IngressClasses() []*IngressClass { return l.classes }

// Gateways implements [Cluster].
func (l *Lists) Gateways(namespace, secret string) []*Gateway {
	return those(l.gateways, func(g *Gateway) bool { return slices.Contains(g.Secrets(), namespace+"/"+secret) })
}

// Gateway implements [Cluster].
func (l *Lists) Gateway(namespace, name string) *Gateway {
	return first(l.gateways, func(g *Gateway) bool { return g.Kind == KindGateway && g.Namespace == namespace && g.Name == name })
}

// Grants implements [Cluster].
func (l *Lists) Grants(namespace string) []*Grant {
	return those(l.grants, func(g *Grant) bool { return g.Namespace == namespace })
}

// Callers implements [Cluster].
func (l *Lists) Callers(namespace, service string) []*Caller {
	return those(l.callers, func(c *Caller) bool { return slices.Contains(c.Services(), namespace+"/"+service) })
}

// Service implements [Cluster].
func (l *Lists) Service(namespace, name string) *Service {
	return first(l.services, func(s *Service) bool { return s.Namespace == namespace && s.Name == name })
}

// ServicesAt implements [Cluster].
func (l *Lists) ServicesAt(address string) []*Service {
	return those(l.services, func(s *Service) bool { return slices.Contains(s.Addresses, address) })
}

// ServicesOf implements [Cluster].
func (l *Lists) ServicesOf(namespace, gateway string) []*Service {
	return those(l.services, func(s *Service) bool { return slices.Contains(s.Gateways, namespace+"/"+gateway) })
}

// Slices implements [Cluster].
func (l *Lists) Slices(namespace, service string) []*Slice {
	return those(l.slices, func(s *Slice) bool { return s.Namespace == namespace && s.Service == service })
}

// SlicesOf implements [Cluster].
func (l *Lists) SlicesOf(namespace, pod string) []*Slice {
	return those(l.slices, func(s *Slice) bool { return s.Namespace == namespace && slices.Contains(s.Pods(), pod) })
}

// Pod implements [Cluster].
func (l *Lists) Pod(namespace, name string) (Pod, bool) {
	p, ok := l.pods[namespace+"/"+name]
	return p, ok
}
