package walk

import (
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/chain"
	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/delivery"
	"github.com/certwire/certwire/pkg/front"
)

// user is a pod that uses a Secret.
type user struct {
	*delivery.Pod

	// secret is what it uses, and mirror is namespace/name of that where it is not the Certificate's own.
	secret, mirror string
	account        string
}

// lookAtWire finds who serves the certificate, and what each of them does serve.
func (l *look) lookAtWire(ctx context.Context) {
	l.facts.Wire = l.wire()
	users := l.usersOf(ctx, l.certificate.Namespace, l.certificate.Spec.SecretName, "")
	for _, m := range l.facts.Mirrors {
		users = append(users, l.usersOf(ctx, m.Namespace, m.Name, m.Namespace+"/"+m.Name)...)
	}
	w := newWorld(ctx, l)
	switch {
	case l.options.Reach != nil:
		l.dial(ctx, w, users)
	case l.current():
		l.written(users)
	default:
		for _, u := range users {
			l.facts.Places = append(l.facts.Places, u.place(chain.Unseen))
		}
	}
	l.lookAtFronts(ctx, w, users)
	slices.SortStableFunc(l.facts.Places, func(a, b chain.Place) int {
		return strings.Compare(a.Namespace+"/"+a.Pod+" "+a.Port, b.Namespace+"/"+b.Pod+" "+b.Port)
	})
}

// usersOf lists the pods of a namespace that use a Secret.
func (l *look) usersOf(ctx context.Context, namespace, secret, mirror string) []user {
	var pods corev1.PodList
	err := l.cluster.List(ctx, &pods, client.InNamespace(namespace))
	l.unseen("the pods of Namespace "+namespace, err, "who uses the Secret is not known")
	var out []user
	for i := range pods.Items {
		p := delivery.NewPod(&pods.Items[i])
		if p == nil || !p.DeletionTimestamp.IsZero() || !slices.Contains(p.Secrets, secret) {
			continue
		}
		out = append(out, user{Pod: p, secret: secret, mirror: mirror, account: pods.Items[i].Spec.ServiceAccountName})
	}
	return out
}

// front is the pod as package front knows it.
func (u user) front() front.Pod {
	return front.Pod{Namespace: u.Namespace, Name: u.Name, UID: u.UID, IPs: []string{u.IP}}
}

func (u user) place(state string) chain.Place {
	return chain.Place{
		Layer: chain.LayerPod, Secret: u.mirror, Namespace: u.Namespace, Pod: u.Name, Workload: u.Workload, ServiceAccount: u.account,
		Started: u.Started, State: state,
	}
}

// written takes what certwire has seen.
func (l *look) written(users []user) {
	status := &l.delivery.Status
	l.facts.UnderWay = status.State == v1alpha1.DeliveryDelivering
	byName := map[string]user{}
	for _, u := range users {
		byName[u.Namespace+"/"+u.Name] = u
	}
	ends := l.endOfOther()
	seen := map[string]bool{}
	for _, e := range status.Endpoints {
		namespace := e.Namespace
		if namespace == "" {
			namespace = l.certificate.Namespace
		}
		if e.Pod == "" {
			continue // a front that nobody is found to serve for: lookAtFronts says why
		}
		key := namespace + "/" + e.Pod
		p := byName[key].withName(namespace, e.Pod).place(e.State)
		p.Port, p.Cause, p.Leaf = e.Port, e.Cause, chain.Leaf{Serial: e.Serial}
		if e.Serial != "" && e.Serial == ends.Serial {
			p.Leaf = ends
		}
		if e.For != "" {
			p.Layer, p.For = chain.LayerFront, e.For
		} else {
			seen[key] = true
		}
		p.Guessed = e.State == string(delivery.Foreign) && status.State != v1alpha1.DeliveryStale
		l.facts.Places = append(l.facts.Places, p)
	}
	for _, u := range users { // those that use a mirror, or are more than a delivery lists, or came after it was written
		if seen[u.Namespace+"/"+u.Name] {
			continue
		}
		p := u.place(chain.Unseen)
		if l.leftOut(u) {
			p.State, p.Leaf = string(delivery.Current), short(l.want)
		}
		l.facts.Places = append(l.facts.Places, p)
	}
}

// leftOut reports whether a pod is one that a delivery has proven and has no room to list: it lists those first that do not
// serve what they should.
func (l *look) leftOut(u user) bool {
	s := &l.delivery.Status
	last := len(s.Endpoints) - 1
	return u.mirror == "" && len(s.Endpoints) >= delivery.MaxListed && s.Endpoints[last].State == string(delivery.Current) &&
		s.Verified != nil && u.Started.Before(s.Verified.Time)
}

// withName makes a user of a pod that is not among those found: it is gone, or may not be listed.
func (u user) withName(namespace, name string) user {
	if u.Pod == nil {
		u.Pod = &delivery.Pod{}
		u.Namespace, u.Name = namespace, name
	}
	return u
}

// endOfOther returns the one other certificate that is served, with its end, if there is just one: a delivery says when the
// oldest ends, and not which one that is.
func (l *look) endOfOther() chain.Leaf {
	var serials []string
	for _, e := range l.delivery.Status.Endpoints {
		if e.Serial != "" && e.Serial != l.want.Serial {
			serials = append(serials, e.Serial)
		}
	}
	slices.Sort(serials)
	serials = slices.Compact(serials)
	end, err := time.Parse("2006-01-02 15:04 MST", l.delivery.Status.Oldest)
	if len(serials) != 1 || err != nil || !end.Before(l.want.NotAfter.Truncate(time.Minute)) {
		return chain.Leaf{}
	}
	return chain.Leaf{Serial: serials[0], NotAfter: end}
}
