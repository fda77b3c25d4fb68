package walk

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/chain"
	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/cluster"
	"github.com/certwire/certwire/pkg/delivery"
	"github.com/certwire/certwire/pkg/front"
	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/pkg/reload/spec"
)

// Reach opens a pod. What it returns looks at one of its places, and may be called concurrently until the pod is closed. An
// error means that the pod's ports cannot be reached from here, whatever it serves.
type Reach func(ctx context.Context, namespace, pod string) (look func(context.Context, delivery.Place) probe.Result, closed func(), err error)

// Bounds of a look.
const (
	maxPods    = 200
	concurrent = 16
)

// dial looks at what the pods serve.
func (l *look) dial(ctx context.Context, w *world, users []user) {
	if len(users) > maxPods {
		l.facts.Unseen = append(l.facts.Unseen, fmt.Sprintf("%d more pods: the first %d were looked at", len(users)-maxPods, maxPods))
		for _, u := range users[maxPods:] {
			l.facts.Places = append(l.facts.Places, u.place(chain.Unseen))
		}
		users = users[:maxPods]
	}
	settings, err := l.cluster.Settings(ctx, l.options.System)
	var presets map[string]spec.Values
	if settings != nil {
		presets = settings.Agent.Presets
	}
	if slices.ContainsFunc(users, func(u user) bool { return u.Preset != "" }) {
		l.unseen(fmt.Sprintf("certwire's configuration, ConfigMap %s/certwire", l.options.System), err, "its defaults are assumed")
	}
	offers := make([][]front.Offer, len(users)) // beforehand: a world is for one at a time
	for i, u := range users {
		offers[i] = front.Offers(w, u.front())
	}
	seen, trouble := make([][]chain.Place, len(users)), make([]error, len(users))
	var done atomic.Int64
	l.progress(0, len(users))
	l.each(len(users), func(i int) {
		seen[i], trouble[i] = l.pod(ctx, users[i], offers[i], presets)
		l.progress(int(done.Add(1)), len(users))
	})
	for _, places := range seen {
		l.facts.Places = append(l.facts.Places, places...)
	}
	l.troubles(trouble)
}

// troubles notes the first reason why pods could not be opened.
func (l *look) troubles(of []error) {
	at := slices.IndexFunc(of, func(err error) bool { return err != nil })
	if at < 0 {
		return
	}
	text := fmt.Sprintf("what is served in some pods (%s): it needs create on pods/portforward, or --dial=direct where their addresses can be reached", cluster.Why(of[at]))
	if !slices.Contains(l.facts.Unseen, text) {
		l.facts.Unseen = append(l.facts.Unseen, text)
	}
}

func (l *look) progress(done, of int) {
	if l.options.Progress != nil {
		l.options.Progress(done, of)
	}
}

// each runs a few at a time.
func (l *look) each(n int, do func(i int)) {
	var running sync.WaitGroup
	room := make(chan struct{}, concurrent)
	for i := range n {
		room <- struct{}{}
		running.Go(func() {
			defer func() { <-room }()
			do(i)
		})
	}
	running.Wait()
}

// pod looks at all places of one pod. A pod that is not Ready serves nobody, and is not looked at.
func (l *look) pod(ctx context.Context, u user, offers []front.Offer, presets map[string]spec.Values) ([]chain.Place, error) {
	if !u.Ready {
		return []chain.Place{u.place(string(delivery.NotReady))}, nil
	}
	places := delivery.Places(u.Pod, u.secret, l.want, presets, offers)
	if len(places) == 0 {
		return []chain.Place{u.place(string(delivery.NoPort))}, nil
	}
	look, closed, err := l.options.Reach(ctx, u.Namespace, u.Name)
	if err != nil {
		return []chain.Place{u.place(chain.Unseen)}, err
	}
	defer closed()
	var seen []delivery.Endpoint
	leaves := map[string]chain.Leaf{}
	for _, p := range places {
		r := l.twice(ctx, p, look)
		e := delivery.Endpoint{
			Port: p.Port, State: delivery.StateOf(r, l.want, l.previous), Cause: r.Cause, Guessed: p.Guessed, Serial: r.Leaf.Serial, NotAfter: r.Leaf.NotAfter,
		}
		if (e.State == delivery.Foreign || e.State == delivery.Other) && l.another(r) {
			e.Guessed, e.State = true, delivery.Foreign
		}
		leaves[p.Port] = short(r.Leaf)
		seen = append(seen, e)
	}
	var out []chain.Place
	for _, e := range delivery.Counted(seen) {
		p := u.place(string(e.State))
		p.Port, p.Cause, p.Guessed, p.Leaf = e.Port, string(e.Cause), e.Guessed, leaves[e.Port]
		out = append(out, p)
	}
	return out, nil
}

// twice looks at a place. A server with an RSA and an ECDSA certificate shows one of them, and is asked for the other.
func (l *look) twice(ctx context.Context, p delivery.Place, look func(context.Context, delivery.Place) probe.Result) probe.Result {
	r := look(ctx, p)
	if r.State == probe.Served && r.Leaf.Fingerprint != l.want.Fingerprint && l.want.Key != 0 && r.Leaf.Key != l.want.Key {
		p.Key = l.want.Key
		if other := look(ctx, p); other.State == probe.Served {
			return other
		}
	}
	return r
}

// another reports whether what was served was issued for another Certificate of the namespace.
func (l *look) another(r probe.Result) bool {
	for i := range l.requests {
		if l.requests[i].Annotations[cmapi.CertificateNameKey] == l.certificate.Name {
			continue
		}
		if leaf, err := leafIn(l.requests[i].Status.Certificate); err == nil && leaf.Fingerprint == r.Leaf.Fingerprint {
			return true
		}
	}
	return false
}
