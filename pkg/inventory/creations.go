package inventory

import (
	"sync"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
)

// creations remembers, for a namespace and Secret, whether the Certificates that were created for it went on to order.
// That is the best that can be known of a Secret without reading it: a Secret that was there each time satisfied each new
// Certificate, and one that was gone did not.
type creations struct {
	mu   sync.Mutex
	of   map[string][]*creation // namespace/secretName, oldest first
	made map[string]*creation   // namespace/Certificate, the present one
}

type creation struct {
	target  string
	at      time.Time
	ordered bool
	gone    bool // the Certificate was deleted, so that nothing will follow any more
	unseen  bool // it was there before this replica, so that nobody saw what followed
}

const (
	// maxCreations bounds the Secrets whose history is known.
	maxCreations = 20000
	// maxPerSecret is how many creations of one Secret are remembered.
	maxPerSecret = 4
	// settles is how long after its creation a Certificate orders, if it does: cert-manager needs about a second.
	settles = 20 * time.Second
)

func newCreations() *creations {
	return &creations{of: map[string][]*creation{}, made: map[string]*creation{}}
}

// created notes a Certificate, when it is seen for the first time.
func (c *creations) created(namespace, name, secret string, at, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key, target := namespace+"/"+name, namespace+"/"+secret
	if have := c.made[key]; have != nil && have.target == target && have.at.Equal(at) {
		return
	}
	if len(c.of) >= maxCreations {
		clear(c.of)
		clear(c.made)
	}
	n := &creation{target: target, at: at, unseen: now.Sub(at) > settles}
	c.made[key] = n
	list := append(c.of[target], n)
	c.of[target] = list[max(0, len(list)-maxPerSecret):]
}

// ordered notes that a Certificate has ordered at a time.
func (c *creations) ordered(namespace, name string, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.made[namespace+"/"+name]; n != nil && !at.Before(n.at) && at.Sub(n.at) <= settles { // a later one is a renewal
		n.ordered = true
	}
}

func (c *creations) deleted(namespace, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.made[namespace+"/"+name]; n != nil {
		n.gone = true
		delete(c.made, namespace+"/"+name)
	}
}

// last returns what followed the latest creations for a Secret, oldest first. One that may still order is left out.
func (c *creations) last(namespace, secret string, now time.Time) []bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []bool
	for _, n := range c.of[namespace+"/"+secret] {
		if n.unseen {
			continue
		}
		if n.ordered || n.gone && now.Sub(n.at) > time.Second || now.Sub(n.at) > settles {
			out = append(out, n.ordered)
		}
	}
	return out
}

func (i *Inventory) onCreation() toolscache.ResourceEventHandler {
	return handler(func(before, after any) {
		is, _ := after.(*cmapi.Certificate)
		if is == nil {
			if was, ok := before.(*cmapi.Certificate); ok {
				i.creations.deleted(was.Namespace, was.Name)
			}
			return
		}
		i.creations.created(is.Namespace, is.Name, is.Spec.SecretName, is.CreationTimestamp.Time, time.Now())
	})
}

// Creations returns, oldest first, whether the latest Certificates that were created for a Secret went on to order. It is
// known from what this replica has seen, so it can be empty.
func (i *Inventory) Creations(namespace, secret string, now time.Time) []bool {
	return i.creations.last(namespace, secret, now)
}

// NamespaceCreated returns when a namespace was created; the zero time when the cache does not know it.
func (i *Inventory) NamespaceCreated(name string) time.Time {
	if s := i.core.Load(); s != nil {
		object, ok, err := s.namespaces.GetIndexer().GetByKey(name)
		if m, is := object.(*metav1.PartialObjectMetadata); err == nil && ok && is {
			return m.CreationTimestamp.Time
		}
	}
	return time.Time{}
}
