package delivery

import (
	"slices"
	"strings"
	"sync/atomic"

	toolscache "k8s.io/client-go/tools/cache"

	"github.com/certwire/certwire/pkg/front"
)

// The indexes of what fronts are found by.
const (
	byService = "service" // namespace/name of a Service
	byPod     = "pod"     // namespace/name of a pod
	byHost    = "host"
	byAddress = "address"
	byGateway = "gateway" // namespace/name of a Gateway
	byClass   = "class"
)

// store is the cache of one kind: empty until its informer has come.
type store struct {
	of atomic.Pointer[toolscache.Indexer]
}

// frontCaches answer from caches what [front.Of] asks. A kind that the cluster does not have, or that certwire may not
// read, is an empty one.
type frontCaches struct {
	pods func(namespace, name string) *Pod

	ingresses, classes, services, slices           store
	gateways, listenerSets, grants                 store
	validating, mutating, apiServices, conversions store
}

var _ front.Cluster = (*frontCaches)(nil)

// ask returns the objects under a key of an index, by their names.
func ask[T any](s *store, index, key string) []T {
	indexer := s.of.Load()
	if indexer == nil {
		return nil
	}
	objects, err := (*indexer).ByIndex(index, key)
	if err != nil {
		return nil // only for an index that does not exist
	}
	return typed[T](objects)
}

// all returns all objects of a kind, by their names.
func all[T any](s *store) []T {
	indexer := s.of.Load()
	if indexer == nil {
		return nil
	}
	return typed[T]((*indexer).List())
}

// one returns the object of a key; zero for none.
func one[T any](s *store, key string) T {
	var none T
	indexer := s.of.Load()
	if indexer == nil {
		return none
	}
	object, ok, err := (*indexer).GetByKey(key)
	if err != nil || !ok {
		return none
	}
	t, _ := object.(T)
	return t
}

func typed[T any](objects []any) []T {
	slices.SortFunc(objects, func(a, b any) int { return strings.Compare(keyOf(a), keyOf(b)) })
	out := make([]T, 0, len(objects))
	for _, object := range objects {
		if t, ok := object.(T); ok {
			out = append(out, t)
		}
	}
	return out
}

func keyOf(object any) string {
	key, err := toolscache.MetaNamespaceKeyFunc(object)
	if err != nil {
		return "" // nothing without a name is in a cache
	}
	return key
}

// Ingresses implements [front.Cluster].
func (c *frontCaches) Ingresses(namespace, secret string) []*front.Ingress {
	return ask[*front.Ingress](&c.ingresses, bySecret, namespace+"/"+secret)
}

// IngressesFor implements [front.Cluster].
func (c *frontCaches) IngressesFor(host string) []*front.Ingress {
	return ask[*front.Ingress](&c.ingresses, byHost, host)
}

// IngressClasses implements [front.Cluster].
func (c *frontCaches) IngressClasses() []*front.IngressClass {
	return all[*front.IngressClass](&c.classes)
}

// Gateways implements [front.Cluster].
func (c *frontCaches) Gateways(namespace, secret string) []*front.Gateway {
	return slices.Concat(ask[*front.Gateway](&c.gateways, bySecret, namespace+"/"+secret),
		ask[*front.Gateway](&c.listenerSets, bySecret, namespace+"/"+secret))
}

// Gateway implements [front.Cluster].
func (c *frontCaches) Gateway(namespace, name string) *front.Gateway {
	return one[*front.Gateway](&c.gateways, namespace+"/"+name)
}

// Grants implements [front.Cluster].
func (c *frontCaches) Grants(namespace string) []*front.Grant {
	return ask[*front.Grant](&c.grants, toolscache.NamespaceIndex, namespace) // which every informer's cache has
}

// Callers implements [front.Cluster].
func (c *frontCaches) Callers(namespace, service string) []*front.Caller {
	var out []*front.Caller
	for _, s := range []*store{&c.validating, &c.mutating, &c.apiServices, &c.conversions} {
		out = append(out, ask[*front.Caller](s, byService, namespace+"/"+service)...)
	}
	return out
}

// Service implements [front.Cluster].
func (c *frontCaches) Service(namespace, name string) *front.Service {
	return one[*front.Service](&c.services, namespace+"/"+name)
}

// ServicesAt implements [front.Cluster].
func (c *frontCaches) ServicesAt(address string) []*front.Service {
	return ask[*front.Service](&c.services, byAddress, address)
}

// ServicesOf implements [front.Cluster].
func (c *frontCaches) ServicesOf(namespace, gateway string) []*front.Service {
	return ask[*front.Service](&c.services, byGateway, namespace+"/"+gateway)
}

// Slices implements [front.Cluster].
func (c *frontCaches) Slices(namespace, service string) []*front.Slice {
	return ask[*front.Slice](&c.slices, byService, namespace+"/"+service)
}

// SlicesOf implements [front.Cluster].
func (c *frontCaches) SlicesOf(namespace, pod string) []*front.Slice {
	return ask[*front.Slice](&c.slices, byPod, namespace+"/"+pod)
}

// Pod implements [front.Cluster].
func (c *frontCaches) Pod(namespace, name string) (front.Pod, bool) {
	p := c.pods(namespace, name)
	if p == nil {
		return front.Pod{}, false
	}
	return frontPod(p), true
}

// keyed is an index of objects of one type.
func keyed[T any](keys func(T) []string) toolscache.IndexFunc {
	return func(object any) ([]string, error) {
		t, ok := object.(T)
		if !ok {
			return nil, nil
		}
		return keys(t), nil
	}
}

// under puts names into a namespace.
func under(namespace string, names ...string) []string {
	out := make([]string, 0, len(names))
	for _, name := range names {
		out = append(out, namespace+"/"+name)
	}
	return out
}

var (
	ingressIndexers = toolscache.Indexers{
		bySecret:  keyed(func(i *front.Ingress) []string { return under(i.Namespace, i.Secrets()...) }),
		byHost:    keyed((*front.Ingress).Hosts),
		byAddress: keyed(func(i *front.Ingress) []string { return i.Addresses }),
		byClass:   keyed(func(i *front.Ingress) []string { return []string{i.Class} }),
	}
	gatewayIndexers = toolscache.Indexers{
		bySecret:  keyed((*front.Gateway).Secrets),
		byAddress: keyed(func(g *front.Gateway) []string { return g.Addresses }),
		byGateway: keyed(func(g *front.Gateway) []string { return []string{g.Parent} }),
	}
	serviceIndexers = toolscache.Indexers{
		byAddress: keyed(func(s *front.Service) []string { return s.Addresses }),
		byGateway: keyed(func(s *front.Service) []string { return s.Gateways }),
	}
	sliceIndexers = toolscache.Indexers{
		byService: keyed(func(s *front.Slice) []string { return under(s.Namespace, s.Service) }),
		byPod:     keyed(func(s *front.Slice) []string { return under(s.Namespace, s.Pods()...) }),
	}
	callerIndexers = toolscache.Indexers{byService: keyed((*front.Caller).Services)}
)
