package walk

import (
	"context"
	"net/netip"
	"slices"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/chain"
	"github.com/certwire/certwire/pkg/delivery"
	"github.com/certwire/certwire/pkg/front"
	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/pkg/reload/spec"
)

// lookAtFronts finds who serves the certificate for others, and what each of them does serve.
func (l *look) lookAtFronts(ctx context.Context, w *world, users []user) {
	of := front.Certificate{Namespace: l.certificate.Namespace, Secret: l.certificate.Spec.SecretName, Names: l.want.Names}
	for _, u := range users {
		if u.mirror == "" {
			of.Pods = append(of.Pods, u.front())
		}
	}
	fronts := front.Of(w, of)
	var jobs []job
	for _, f := range fronts {
		name := f.For(l.certificate.Namespace)
		known := slices.ContainsFunc(l.facts.Places, func(p chain.Place) bool { return p.For == name })
		switch {
		case known:
		case f.Missing != "":
			l.facts.Places = append(l.facts.Places, chain.Place{Layer: chain.LayerFront, For: name, State: chain.Unseen, Cause: f.Missing})
		case l.options.Reach == nil:
			for _, r := range f.Replicas {
				if !f.IsCaller() { // who is called is shown as who uses the Secret
					l.facts.Places = append(l.facts.Places, w.place(name, r))
				}
			}
		default:
			for _, r := range f.Replicas {
				jobs = append(jobs, job{f, r, w.place(name, r)})
			}
		}
	}
	l.dialFronts(ctx, jobs)
	if l.options.Public != nil {
		l.public(ctx, l.hosts(w))
	}
}

// place is a front's pod that nobody has looked at yet.
func (w *world) place(name string, r front.Replica) chain.Place {
	p := chain.Place{Layer: chain.LayerFront, For: name, Namespace: r.Namespace, Pod: r.Pod, State: chain.Unseen}
	if pod := w.pod(r.Namespace, r.Pod); pod != nil {
		p.Workload, p.ServiceAccount = delivery.WorkloadOf(pod), pod.Spec.ServiceAccountName
		if pod.Status.StartTime != nil {
			p.Started = pod.Status.StartTime.Time
		}
	}
	return p
}

// job is one pod of a front to look at.
type job struct {
	front   front.Front
	replica front.Replica
	place   chain.Place
}

func (l *look) dialFronts(ctx context.Context, jobs []job) {
	if len(jobs) > maxPods {
		for _, j := range jobs[maxPods:] {
			l.facts.Places = append(l.facts.Places, j.place)
		}
		jobs = jobs[:maxPods]
	}
	seen, trouble := make([][]chain.Place, len(jobs)), make([]error, len(jobs))
	l.each(len(jobs), func(i int) { seen[i], trouble[i] = l.frontPod(ctx, jobs[i]) })
	for _, places := range seen {
		l.facts.Places = append(l.facts.Places, places...)
	}
	l.troubles(trouble)
}

// frontPod looks at all places of one pod of a front. A caller's place that shows another certificate than this one is no
// matter of this one.
func (l *look) frontPod(ctx context.Context, j job) ([]chain.Place, error) {
	look, closed, err := l.options.Reach(ctx, j.replica.Namespace, j.replica.Pod)
	if err != nil {
		if j.front.IsCaller() {
			return nil, err
		}
		return []chain.Place{j.place}, err
	}
	defer closed()
	var out []chain.Place
	for _, at := range j.replica.Places {
		port := spec.Endpoint{Port: at.Port, ServerName: at.ServerName}.String()
		r := l.twice(ctx, delivery.Place{Target: probe.Target{Address: netip.AddrPortFrom(at.Address, at.Port).String(), ServerName: at.ServerName}, Port: port}, look)
		p := j.place
		p.Port, p.State, p.Cause, p.Leaf = port, string(delivery.StateOf(r, l.want, l.previous)), string(r.Cause), short(r.Leaf)
		if j.front.IsCaller() {
			if p.State != string(delivery.Current) && p.State != string(delivery.Previous) {
				continue
			}
			if len(at.Bundle) > 0 {
				if why := front.Trusts(at.Bundle, r.Certificates, at.ServerName, l.options.Now); why != front.Trusted {
					p.State, p.Cause = "untrusted", string(why)
				}
			}
		} else if p.State != string(delivery.Current) && at.Rival != "" {
			p.Cause = at.Rival + " comes before it"
		}
		out = append(out, p)
	}
	return out, nil
}

// hosts are the names that Ingresses and Gateways have the certificate served for.
func (l *look) hosts(w *world) []string {
	var out []string
	for _, i := range w.Ingresses(l.certificate.Namespace, l.certificate.Spec.SecretName) {
		for _, t := range i.TLS {
			if t.Secret == l.certificate.Spec.SecretName {
				out = append(out, t.Hosts...)
			}
		}
	}
	for _, g := range w.Gateways(l.certificate.Namespace, l.certificate.Spec.SecretName) {
		for _, listener := range g.Listeners {
			out = append(out, listener.Hostname)
		}
	}
	return out
}
