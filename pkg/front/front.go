package front

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// The kinds of fronts.
const (
	KindIngress     = "Ingress"
	KindGateway     = "Gateway"
	KindListenerSet = "ListenerSet"
	KindValidating  = "ValidatingWebhookConfiguration"
	KindMutating    = "MutatingWebhookConfiguration"
	KindAPIService  = "APIService"
	KindConversion  = "CustomResourceDefinition" // whose objects a webhook converts
)

// Bounds on what is found for one Certificate. The rest is counted in [Front.Left], and not looked at.
const (
	maxFronts = 32
	// maxHosts is for each front, maxPods for each of its Services, and maxPlaces for all of its pods together.
	maxHosts    = 16
	maxPods     = 64
	maxPlaces   = 256
	maxServices = 4
)

// Certificate is what fronts are looked for.
type Certificate struct {
	Namespace, Secret string
	// Names are the leaf's.
	Names []string
	// Pods are those that mount the Secret, or a copy of it.
	Pods []Pod
}

// Pod is a running pod.
type Pod struct {
	Namespace, Name string
	UID             types.UID
	// IPs are its own, the primary one first.
	IPs []string
}

// Front is an object that has pods serve a certificate for others.
type Front struct {
	// Kind is one of the constants of this package; Namespace is empty for what has none.
	Kind, Namespace, Name string
	// Created is when it came: nobody can serve for it any sooner.
	Created time.Time
	// Replicas are the pods that serve it, by namespace and name.
	Replicas []Replica
	// Missing says why there are none, in part of a sentence; empty otherwise.
	Missing string
	// Left is how many places there are beyond the bounds.
	Left int
}

// For is how a delivery in a namespace names the front: Ingress/web, Gateway/infra/edge, APIService/v1.example.com.
func (f Front) For(namespace string) string {
	if f.Namespace == "" || f.Namespace == namespace {
		return f.Kind + "/" + f.Name
	}
	return f.Kind + "/" + f.Namespace + "/" + f.Name
}

// IsCaller reports whether the front is who calls the pods, and not who serves for them.
func (f Front) IsCaller() bool {
	return f.Kind == KindValidating || f.Kind == KindMutating || f.Kind == KindAPIService || f.Kind == KindConversion
}

// Replica is one pod of a front.
type Replica struct {
	Namespace, Pod string
	UID            types.UID
	// Places is where to look at it; there is at least one.
	Places []Place
}

// Place is one place to look at.
type Place struct {
	Address netip.Addr
	Port    uint16
	// ServerName is the SNI to send; empty for none.
	ServerName string
	// Bundle is what callers trust, PEM; empty where that is not for us to check.
	Bundle []byte
	// Rival names an older object that has another Secret for the same host: Ingress/shop/old. Empty for none.
	Rival string
}

// Of returns all fronts of a Certificate, sorted by kind, namespace and name.
func Of(c Cluster, of Certificate) []Front {
	out := slices.Concat(ingresses(c, of), gateways(c, of), callers(c, of))
	slices.SortFunc(out, func(a, b Front) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return out[:min(len(out), maxFronts)]
}

// port is a port of a Service, with the names to ask for there.
type port struct {
	service *Service
	ServicePort
	places []Place // without an address
}

// fill gives a front the ready pods behind ports of Services.
func (f *Front) fill(c Cluster, ports []port, only func(types.UID) bool) {
	byUID := map[types.UID]*Replica{}
	strangers := 0
	for _, p := range ports {
		pods, none := podsAt(c, p.service, p.ServicePort)
		strangers += none
		for _, at := range pods {
			if only != nil && !only(at.UID) {
				continue
			}
			r := byUID[at.UID]
			if r == nil {
				r = &Replica{Namespace: at.Namespace, Pod: at.Name, UID: at.UID}
				byUID[at.UID] = r
			}
			for _, place := range p.places {
				place.Address, place.Port = at.address, at.port
				r.add(place)
			}
		}
	}
	for _, r := range byUID {
		f.Replicas = append(f.Replicas, *r)
	}
	slices.SortFunc(f.Replicas, func(a, b Replica) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Pod, b.Pod))
	})
	f.bound()
	if len(f.Replicas) == 0 && f.Missing == "" {
		f.Missing = "no pod behind " + serviceNames(ports) + " is ready"
		if strangers > 0 {
			f.Missing = "nothing behind " + serviceNames(ports) + " is a pod at its own address"
		}
	}
}

func (r *Replica) add(p Place) {
	if !slices.ContainsFunc(r.Places, func(have Place) bool {
		return have.Address == p.Address && have.Port == p.Port && have.ServerName == p.ServerName && string(have.Bundle) == string(p.Bundle)
	}) {
		r.Places = append(r.Places, p)
	}
}

// bound keeps a front with many pods, or many hosts, from being dialled without end. Each pod is looked at before each host
// is: what differs between pods is what nobody else sees.
func (f *Front) bound() {
	count := func() (n int) {
		for _, r := range f.Replicas {
			n += len(r.Places)
		}
		return n
	}
	all := count()
	f.Replicas = f.Replicas[:min(len(f.Replicas), maxPods)]
	each := max(1, maxPlaces/max(1, len(f.Replicas)))
	for i := range f.Replicas {
		r := &f.Replicas[i]
		r.Places = r.Places[:min(len(r.Places), each)]
	}
	f.Left += all - count()
}

func serviceNames(ports []port) string {
	var names []string
	for _, p := range ports {
		names = append(names, "Service "+p.service.Namespace+"/"+p.service.Name)
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

// at is a pod's port as a Service has it.
type at struct {
	Pod
	address netip.Addr
	port    uint16
}

// podsAt returns the ready pods behind a port of a Service, one address of each, and how many endpoints are no pods.
func podsAt(c Cluster, s *Service, p ServicePort) (out []at, strangers int) {
	byUID := map[types.UID]int{}
	for _, slice := range c.Slices(s.Namespace, s.Name) {
		number, ok := slice.port(p.Name)
		if !ok {
			continue
		}
		for _, e := range slice.Endpoints {
			pod, address, ok := owner(c, slice, e)
			switch first, twice := byUID[pod.UID]; {
			case !e.Ready:
			case !ok:
				strangers++
			case !twice:
				byUID[pod.UID] = len(out)
				out = append(out, at{pod, address, number})
			case slices.Index(pod.IPs, address.String()) < slices.Index(pod.IPs, out[first].address.String()):
				out[first].address = address // of a dual-stack pod, the primary one
			}
		}
	}
	return out, strangers
}

// owner returns the pod of an endpoint, and its address; false unless the address is the pod's own.
func owner(c Cluster, s *Slice, e Endpoint) (Pod, netip.Addr, bool) {
	if e.Pod == "" {
		return Pod{}, netip.Addr{}, false
	}
	pod, ok := c.Pod(s.Namespace, e.Pod)
	if !ok || pod.UID != e.UID {
		return Pod{}, netip.Addr{}, false
	}
	for _, text := range e.Addresses {
		address, err := netip.ParseAddr(text)
		if err == nil && Dialable(address) && slices.Contains(pod.IPs, text) {
			return pod, address, true
		}
	}
	return Pod{}, netip.Addr{}, false
}

// Dialable keeps out what no pod's address can be, and a cloud's metadata server.
func Dialable(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsValid() && !a.IsLoopback() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLinkLocalUnicast()
}
