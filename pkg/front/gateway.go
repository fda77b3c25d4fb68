package front

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// The Gateway API's group, and its kind that lets references into a namespace.
const (
	GatewayGroup       = "gateway.networking.k8s.io"
	KindReferenceGrant = "ReferenceGrant"
)

// Gateway is what is kept of a Gateway or a ListenerSet.
type Gateway struct {
	metav1.ObjectMeta
	// Kind is Gateway or ListenerSet. Parent is the Gateway that a ListenerSet adds to, as namespace/name.
	Kind, Parent string
	Listeners    []Listener
	// Addresses are what the implementation has written to its status.
	Addresses []string
}

// Listener is one that ends TLS.
type Listener struct {
	Hostname string // empty for any
	Port     uint16
	Secrets  []string // as namespace/name
}

// gatewayFields are the parts of both kinds that count (gateway-api apis/v1, gateway_types.go and listenerset_types.go).
type gatewayFields struct {
	Spec struct {
		ParentRef struct {
			Name      string  `json:"name"`
			Namespace *string `json:"namespace"`
		} `json:"parentRef"`
		Listeners []struct {
			Hostname *string `json:"hostname"`
			Port     int64   `json:"port"`
			TLS      *struct {
				Mode            *string     `json:"mode"`
				CertificateRefs []reference `json:"certificateRefs"`
			} `json:"tls"`
		} `json:"listeners"`
	} `json:"spec"`
	Status struct {
		Addresses []struct {
			Value string `json:"value"`
		} `json:"addresses"`
	} `json:"status"`
}

type reference struct {
	Group     *string `json:"group"`
	Kind      *string `json:"kind"`
	Name      string  `json:"name"`
	Namespace *string `json:"namespace"`
}

// secret is what a reference of an object in a namespace leads to; empty unless that is a Secret.
func (r reference) secret(namespace string) string {
	if r.Name == "" || (r.Group != nil && *r.Group != "") || (r.Kind != nil && *r.Kind != "Secret") {
		return ""
	}
	if r.Namespace != nil && *r.Namespace != "" {
		namespace = *r.Namespace
	}
	return namespace + "/" + r.Name
}

// read takes of an object the fields that T names. What cannot be read stays empty: the CRD's schema keeps that out.
func read[T any](u *unstructured.Unstructured) T {
	var fields, none T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &fields); err != nil {
		return none
	}
	return fields
}

func newGateway(u *unstructured.Unstructured) *Gateway {
	fields := read[gatewayFields](u)
	kept := &Gateway{ObjectMeta: identity(u), Kind: u.GetKind()}
	if parent := fields.Spec.ParentRef; kept.Kind == KindListenerSet {
		kept.Parent = kept.Namespace + "/" + parent.Name
		if parent.Namespace != nil && *parent.Namespace != "" {
			kept.Parent = *parent.Namespace + "/" + parent.Name
		}
	}
	for _, l := range fields.Spec.Listeners {
		if l.TLS == nil || (l.TLS.Mode != nil && *l.TLS.Mode != "Terminate") || l.Port < 1 || l.Port >= 1<<16 {
			continue
		}
		listener := Listener{Port: uint16(l.Port)}
		if l.Hostname != nil {
			listener.Hostname = *l.Hostname
		}
		for _, r := range l.TLS.CertificateRefs {
			if secret := r.secret(kept.Namespace); secret != "" {
				listener.Secrets = append(listener.Secrets, secret)
			}
		}
		if len(listener.Secrets) > 0 {
			kept.Listeners = append(kept.Listeners, listener)
		}
	}
	for _, a := range fields.Status.Addresses {
		kept.Addresses = append(kept.Addresses, addresses(a.Value)...)
	}
	return kept
}

// Secrets are those that its listeners name, as namespace/name.
func (g *Gateway) Secrets() []string {
	var out []string
	for _, l := range g.Listeners {
		out = append(out, l.Secrets...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Grant is what is kept of a ReferenceGrant: who may refer to Secrets of its namespace.
type Grant struct {
	metav1.ObjectMeta
	// From are kind/namespace, and To names of Secrets, empty for all.
	From, To []string
}

type grantFields struct {
	Spec struct {
		From []struct {
			Group     string `json:"group"`
			Kind      string `json:"kind"`
			Namespace string `json:"namespace"`
		} `json:"from"`
		To []struct {
			Group string  `json:"group"`
			Kind  string  `json:"kind"`
			Name  *string `json:"name"`
		} `json:"to"`
	} `json:"spec"`
}

func newGrant(u *unstructured.Unstructured) *Grant {
	fields := read[grantFields](u)
	kept := &Grant{ObjectMeta: identity(u)}
	for _, f := range fields.Spec.From {
		if f.Group == GatewayGroup {
			kept.From = append(kept.From, f.Kind+"/"+f.Namespace)
		}
	}
	for _, t := range fields.Spec.To {
		if t.Group != "" || t.Kind != "Secret" {
			continue
		}
		name := ""
		if t.Name != nil {
			name = *t.Name
		}
		kept.To = append(kept.To, name)
	}
	return kept
}

// gateways are the Gateways and ListenerSets that may use the Certificate's Secret, each with its pods.
func gateways(c Cluster, of Certificate) []Front {
	var out []Front
	for _, g := range c.Gateways(of.Namespace, of.Secret) {
		if len(out) == maxFronts {
			break
		}
		if !g.mayUse(c, of) {
			continue
		}
		f := Front{Kind: g.Kind, Namespace: g.Namespace, Name: g.Name, Created: g.CreationTimestamp.Time}
		services, why := g.services(c)
		if f.Missing = why; why == "" {
			if ports := g.ports(services, of); len(ports) > 0 {
				f.fill(c, ports, nil)
			} else {
				f.Missing = "Service " + services[0].Namespace + "/" + services[0].Name + " has none of its listeners' ports"
			}
		}
		out = append(out, f)
	}
	return out
}

// mayUse reports whether a reference to the Secret is one: into another namespace, a ReferenceGrant there has to allow it.
func (g *Gateway) mayUse(c Cluster, of Certificate) bool {
	return g.Namespace == of.Namespace || slices.ContainsFunc(c.Grants(of.Namespace), func(grant *Grant) bool {
		return slices.Contains(grant.From, g.Kind+"/"+g.Namespace) &&
			(slices.Contains(grant.To, "") || slices.Contains(grant.To, of.Secret))
	})
}

// services are those that lead to a Gateway's pods: labelled for it in its own namespace, or else those whose addresses its
// status shows. Anybody may label a Service in another namespace, so there the address has to agree. The second result
// says why there are none.
func (g *Gateway) services(c Cluster) ([]*Service, string) {
	if g.Kind == KindListenerSet {
		namespace, name, _ := strings.Cut(g.Parent, "/")
		parent := c.Gateway(namespace, name)
		if parent == nil {
			return nil, "its Gateway " + shown(g.Parent) + " is not there"
		}
		g = parent
	}
	labelled := those(c.ServicesOf(g.Namespace, g.Name), func(s *Service) bool {
		return s.Namespace == g.Namespace || slices.ContainsFunc(s.Addresses, func(a string) bool { return slices.Contains(g.Addresses, a) })
	})
	if len(labelled) > 0 {
		return labelled[:min(len(labelled), maxServices)], ""
	}
	if len(g.Addresses) == 0 {
		return nil, "no Service in its namespace is labelled " + gatewayLabel + " for it, and its status has no address"
	}
	if at := servicesAt(c, g.Addresses); len(at) > 0 {
		return at, ""
	}
	return nil, "no Service is labelled " + gatewayLabel + " for it, and none has its address " + shown(g.Addresses[0])
}

// ports are those of the Services that listeners with the Secret listen at, with their hosts.
func (g *Gateway) ports(services []*Service, of Certificate) []port {
	byPort := map[uint16][]Place{}
	for _, l := range g.Listeners {
		if !slices.Contains(l.Secrets, of.Namespace+"/"+of.Secret) || len(byPort[l.Port]) >= maxHosts {
			continue
		}
		name, ok := sni(l.Hostname)
		if !ok {
			name = ServerName(of.Names)
		}
		byPort[l.Port] = append(byPort[l.Port], Place{ServerName: name})
	}
	var out []port
	for _, s := range services {
		for _, p := range s.Ports {
			if places := byPort[p.Port]; len(places) > 0 {
				out = append(out, port{service: s, ServicePort: p, places: places})
			}
		}
	}
	return out
}
