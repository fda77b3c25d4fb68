package front

import (
	"cmp"
	"slices"
)

// maxOffers bounds how many ports Services tell of one pod.
const maxOffers = 16

// Offer is a port of a pod that Services send connections to.
type Offer struct {
	Port     uint16
	Services []string // by name, in the pod's namespace
}

// Offers tell, by port, where Services send a pod's callers. They are hints: the port may speak anything.
func Offers(c Cluster, p Pod) []Offer {
	byPort := map[uint16][]string{}
	for _, s := range c.SlicesOf(p.Namespace, p.Name) {
		for _, e := range s.Endpoints {
			pod, _, ok := owner(c, s, e)
			if !ok || pod.UID != p.UID || s.Service == "" {
				continue
			}
			for _, port := range s.Ports {
				byPort[port.Port] = append(byPort[port.Port], s.Service)
			}
		}
	}
	out := make([]Offer, 0, len(byPort))
	for port, services := range byPort {
		slices.Sort(services)
		out = append(out, Offer{Port: port, Services: slices.Compact(services)})
	}
	slices.SortFunc(out, func(a, b Offer) int { return cmp.Compare(a.Port, b.Port) })
	return out[:min(len(out), maxOffers)]
}
