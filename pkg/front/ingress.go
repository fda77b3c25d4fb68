package front

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// ServiceKey is the annotation of an IngressClass that names the Service of its controller, as namespace/name. On an
// Ingress it means nothing: its author is not to choose whom certwire dials.
const ServiceKey = "certwire.dev/service"

// ParseService reads the annotation certwire.dev/service.
func ParseService(value string) (namespace, name string, err error) {
	namespace, name, ok := strings.Cut(value, "/")
	if !ok || len(validation.IsDNS1123Label(namespace)) > 0 || len(validation.IsDNS1035Label(name)) > 0 {
		return "", "", fmt.Errorf("%.80q names no Service as in ingress-nginx/ingress-nginx-controller", value)
	}
	return namespace, name, nil
}

// ingresses are those of the Certificate's namespace that name its Secret, each with the pods of its controller.
func ingresses(c Cluster, of Certificate) []Front {
	var out []Front
	for _, i := range c.Ingresses(of.Namespace, of.Secret) {
		if len(out) == maxFronts {
			break
		}
		f := Front{Kind: KindIngress, Namespace: i.Namespace, Name: i.Name, Created: i.CreationTimestamp.Time}
		services, why := controllers(c, i)
		f.Missing = why
		places := i.places(c, of, &f)
		var ports []port
		for _, s := range services {
			if p, ok := s.https(); ok {
				ports = append(ports, port{service: s, ServicePort: p, places: places})
			}
		}
		switch {
		case len(ports) > 0:
			f.fill(c, ports, nil)
		case f.Missing == "":
			f.Missing = "Service " + services[0].Namespace + "/" + services[0].Name + " has no port 443 and none named https"
		}
		out = append(out, f)
	}
	return out
}

// places are the names to ask a controller for.
func (i *Ingress) places(c Cluster, of Certificate, f *Front) []Place {
	var hosts []string
	for _, t := range i.TLS {
		if t.Secret == of.Secret {
			hosts = append(hosts, t.Hosts...)
		}
	}
	if len(hosts) == 0 {
		hosts = slices.Clone(of.Names)
	}
	slices.Sort(hosts)
	var out []Place
	for _, host := range slices.Compact(hosts) {
		name, ok := sni(host)
		switch {
		case !ok:
		case len(out) == maxHosts:
			f.Left++
		default:
			out = append(out, Place{ServerName: name, Rival: i.rival(c, host, of.Secret)})
		}
	}
	if len(out) == 0 {
		out = []Place{{}}
	}
	return out
}

// rival names the oldest Ingress that was there before this one, and has another Secret for the same host: controllers
// serve the first one's.
func (i *Ingress) rival(c Cluster, host, secret string) string {
	var oldest *Ingress
	for _, other := range c.IngressesFor(host) {
		if other.UID == i.UID || className(c, other) != className(c, i) || !other.CreationTimestamp.Before(&i.CreationTimestamp) || !other.hasOther(host, i.Namespace, secret) {
			continue
		}
		if oldest == nil || other.CreationTimestamp.Before(&oldest.CreationTimestamp) {
			oldest = other
		}
	}
	if oldest == nil {
		return ""
	}
	return KindIngress + "/" + oldest.Namespace + "/" + oldest.Name
}

// hasOther reports whether an Ingress names for a host a Secret that is not this one.
func (i *Ingress) hasOther(host, namespace, secret string) bool {
	return slices.ContainsFunc(i.TLS, func(t IngressTLS) bool {
		return slices.Contains(t.Hosts, host) && (i.Namespace != namespace || t.Secret != secret)
	})
}

// controllers are the Services of who serves an Ingress: the one that its IngressClass names, or else those whose address
// the controller has written to the Ingress. The second result says why there are none.
func controllers(c Cluster, i *Ingress) ([]*Service, string) {
	if class := classOf(c, i); class != nil && class.Service != "" {
		namespace, name, err := ParseService(class.Service)
		if err != nil {
			return nil, "the annotation " + ServiceKey + " of IngressClass " + class.Name + " cannot be read: it is as in ingress-nginx/ingress-nginx-controller"
		}
		if s := c.Service(namespace, name); s != nil {
			return []*Service{s}, ""
		}
		return nil, "IngressClass " + class.Name + " names Service " + namespace + "/" + name + ", which is not there"
	}
	if len(i.Addresses) == 0 {
		return nil, "no controller has written an address to its status"
	}
	if services := servicesAt(c, i.Addresses); len(services) > 0 {
		return services, ""
	}
	return nil, "no Service has its address " + shown(i.Addresses[0])
}

// classOf is an Ingress's class, or the default one.
func classOf(c Cluster, i *Ingress) *IngressClass {
	return first(c.IngressClasses(), func(class *IngressClass) bool {
		return class.Name == i.Class || (i.Class == "" && class.Default)
	})
}

func className(c Cluster, i *Ingress) string {
	if class := classOf(c, i); class != nil {
		return class.Name
	}
	return i.Class
}

// servicesAt are the Services with one of the addresses, by their names.
func servicesAt(c Cluster, addresses []string) []*Service {
	var out []*Service
	for _, a := range addresses[:min(len(addresses), maxServices)] {
		out = append(out, c.ServicesAt(a)...)
	}
	slices.SortFunc(out, func(a, b *Service) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	out = slices.CompactFunc(out, func(a, b *Service) bool { return a.Namespace == b.Namespace && a.Name == b.Name })
	if tls := those(out, func(s *Service) bool { _, ok := s.https(); return ok }); len(tls) > 0 {
		out = tls // others may share a load balancer's address
	}
	return out[:min(len(out), maxServices)]
}

// https is the port at which a controller's Service takes TLS.
func (s *Service) https() (ServicePort, bool) {
	for _, p := range s.Ports {
		if p.Port == 443 {
			return p, true
		}
	}
	for _, p := range s.Ports {
		if p.Name == "https" {
			return p, true
		}
	}
	return ServicePort{}, false
}

// shown is a word of somebody else's for a message.
func shown(word string) string {
	return word[:min(len(word), 100)]
}
