package delivery

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/certwire/certwire/pkg/front"
)

// spread is how far the looks at Certificates are spread that one change of a controller concerns: so much for each, and
// no more than a minute.
const (
	spread     = 5 * time.Millisecond
	mostSpread = time.Minute
)

// frontTouches have the Certificates looked after that a change concerns: of the object before it, and after it.
type frontTouches struct {
	*run

	caches *frontCaches
}

// touched calls f for the old and the new state of an object in which something has changed that is kept.
func touched[T metav1.Object](f func(T)) func(before, after any) {
	return func(before, after any) {
		was, had := before.(T)
		is, has := after.(T)
		if had && has && sameKept(was, is) {
			return
		}
		if had {
			f(was)
		}
		if has {
			f(is)
		}
	}
}

// sameKept reports whether two states of an object differ in nothing but their version.
func sameKept(a, b metav1.Object) bool {
	if a.GetUID() != b.GetUID() {
		return false
	}
	version := a.GetResourceVersion()
	if version == b.GetResourceVersion() {
		return true
	}
	return reflect.DeepEqual(unversioned(a), unversioned(b))
}

// unversioned is a shallow copy without the version.
func unversioned(o metav1.Object) any {
	copied := reflect.New(reflect.TypeOf(o).Elem())
	copied.Elem().Set(reflect.ValueOf(o).Elem())
	if m, ok := reflect.TypeAssert[metav1.Object](copied); ok {
		m.SetResourceVersion("")
	}
	return copied.Interface()
}

// secrets have the Certificates of Secrets, as namespace/name, looked after. Where there are many, they are spread.
func (t frontTouches) secrets(names []string) {
	slices.Sort(names)
	var keys []types.NamespacedName
	for _, name := range slices.Compact(names) {
		namespace, secret, _ := strings.Cut(name, "/")
		keys = append(keys, t.certificatesOf(namespace, secret)...)
	}
	within := min(time.Duration(len(keys))*spread, mostSpread)
	for _, key := range keys {
		t.queue.AddAfter(key, settle+rand.N(within+1))
	}
}

// ingress concerns its own Secrets, and those of Ingresses for the same hosts, which it may come before.
func (t frontTouches) ingress(i *front.Ingress) {
	secrets := under(i.Namespace, i.Secrets()...)
	for _, host := range i.Hosts() {
		for _, other := range t.caches.IngressesFor(host) {
			secrets = append(secrets, under(other.Namespace, other.Secrets()...)...)
		}
	}
	t.secrets(secrets)
}

func (t frontTouches) ingresses(of []*front.Ingress) (secrets []string) {
	for _, i := range of {
		secrets = append(secrets, under(i.Namespace, i.Secrets()...)...)
	}
	return secrets
}

func (t frontTouches) class(c *front.IngressClass) {
	of := ask[*front.Ingress](&t.caches.ingresses, byClass, c.Name)
	if c.Default {
		of = append(of, ask[*front.Ingress](&t.caches.ingresses, byClass, "")...)
	}
	t.secrets(t.ingresses(of))
}

func (t frontTouches) gateway(g *front.Gateway) { t.secrets(t.gateways([]*front.Gateway{g})) }

// gateways are the Secrets of Gateways and of their ListenerSets.
func (t frontTouches) gateways(of []*front.Gateway) (secrets []string) {
	for _, g := range of {
		secrets = append(secrets, g.Secrets()...)
		for _, set := range ask[*front.Gateway](&t.caches.listenerSets, byGateway, g.Namespace+"/"+g.Name) {
			secrets = append(secrets, set.Secrets()...)
		}
	}
	return secrets
}

// grant concerns the Secrets of its namespace that Gateways of other namespaces refer to.
func (t frontTouches) grant(g *front.Grant) {
	var secrets []string
	for _, s := range []*store{&t.caches.gateways, &t.caches.listenerSets} {
		for _, of := range all[*front.Gateway](s) {
			for _, secret := range of.Secrets() {
				if of.Namespace != g.Namespace && strings.HasPrefix(secret, g.Namespace+"/") {
					secrets = append(secrets, secret)
				}
			}
		}
	}
	t.secrets(secrets)
}

// service concerns who is served by it: Ingresses and Gateways with its address, or whose class or labels name it.
func (t frontTouches) service(s *front.Service) {
	var secrets []string
	for _, address := range s.Addresses {
		secrets = append(secrets, t.ingresses(ask[*front.Ingress](&t.caches.ingresses, byAddress, address))...)
		secrets = append(secrets, t.gateways(ask[*front.Gateway](&t.caches.gateways, byAddress, address))...)
	}
	for _, name := range s.Gateways {
		if g := one[*front.Gateway](&t.caches.gateways, name); g != nil {
			secrets = append(secrets, t.gateways([]*front.Gateway{g})...)
		}
	}
	t.secrets(secrets)
	for _, c := range t.caches.IngressClasses() {
		if c.Service == s.Namespace+"/"+s.Name {
			t.class(c)
		}
	}
}

// slice concerns its pods' Secrets, and who is served by its Service.
func (t frontTouches) slice(s *front.Slice) {
	var secrets []string
	for _, name := range s.Pods() {
		if p := t.pod(s.Namespace, name); p != nil {
			secrets = append(secrets, under(p.Namespace, p.Secrets...)...)
		}
	}
	t.secrets(secrets)
	if service := t.caches.Service(s.Namespace, s.Service); service != nil {
		t.service(service)
	}
}

// caller concerns the Secrets of the pods that it calls.
func (t frontTouches) caller(c *front.Caller) {
	var secrets []string
	for _, call := range c.Calls {
		for _, s := range t.caches.Slices(call.Namespace, call.Service) {
			for _, name := range s.Pods() {
				if p := t.pod(s.Namespace, name); p != nil {
					secrets = append(secrets, under(p.Namespace, p.Secrets...)...)
				}
			}
		}
	}
	t.secrets(secrets)
}
