package reload

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/pkg/reload/spec"
)

// endpoint is one place where TLS is, or may be, served.
type endpoint struct {
	spec.Endpoint
	// guessed is one of the container's ports that nobody said to speak TLS. It counts once it was seen to serve one of
	// the certificates.
	guessed, seen bool
	// match and cause are what the last look showed.
	match probe.Match
	cause probe.Cause
	leaf  probe.Leaf
}

// counts reports whether an endpoint has a say.
func (p *endpoint) counts() bool { return !p.guessed || p.seen }

// good reports whether the last look showed what the volume holds. An intermediate that is missing was not put right by
// a reload before either, and a newer leaf than the volume's is nothing to act on.
func (p *endpoint) good() bool {
	return p.match == probe.Current || p.match == probe.Incomplete || p.match == probe.Ahead
}

// word is why an endpoint is not good.
func (p *endpoint) word() string {
	if p.match == probe.Unknown {
		return string(p.cause)
	}
	return string(p.match)
}

// newEndpoints lists what is dialled: what the owner named, or else what the preset knows of its server, or else the
// pod's ports. A preset's port that is none of the pod's was moved by the owner, so the ports are looked at for it.
func newEndpoints(c Config, s spec.Spec) []*endpoint {
	var all []*endpoint
	moved := c.Verify == "" && len(c.Ports) > 0 && !slices.ContainsFunc(s.Verify, func(e spec.Endpoint) bool {
		return slices.Contains(c.Ports, e.Port)
	})
	if len(s.Verify) > 0 && !moved {
		for _, e := range s.Verify {
			all = append(all, &endpoint{Endpoint: e, match: probe.Unknown})
		}
		return all
	}
	protocol := ""
	if len(s.Verify) > 0 {
		protocol = s.Verify[0].StartTLS
	}
	for _, port := range c.Ports {
		all = append(all, &endpoint{Endpoint: spec.Endpoint{Port: port, StartTLS: protocol}, guessed: true, match: probe.Unknown})
	}
	return all
}

// confirmations is how many looks in a row must be good: a server with several workers may have old and new ones for a
// moment.
const confirmations = 3

// Waits between looks.
const (
	firstLook = 50 * time.Millisecond
	lastLook  = 2 * time.Second
)

// defaultVerify is how long after a method a server may take, where nothing else is said.
const defaultVerify = 30 * time.Second

// patience is how long a server may take until it serves what it took up. At the start of the pod it may not run yet.
func (e *Engine) patience() time.Duration {
	d := orElse(time.Duration(e.config.VerifyDeadline), orElse(e.spec.Patience, defaultVerify))
	absent := slices.ContainsFunc(e.endpoints, func(p *endpoint) bool { return p.counts() && p.match == probe.Unknown })
	if absent && e.starting() {
		return max(d, time.Duration(e.config.StartDeadline))
	}
	return d
}

// verify looks at the endpoints until all serve what the volumes hold, or until its patience ends. It returns how many
// endpoints served it; an error that is not errOutdated or the context's says which endpoint does not, and why.
func (e *Engine) verify(ctx context.Context) (int, error) {
	if len(e.endpoints) == 0 {
		return 0, nil
	}
	began, wait, good := e.options.Now(), firstLook, 0
	for {
		e.look(ctx)
		counted, bad := e.assess()
		switch {
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case len(bad) == 0 && counted == 0:
			return 0, nil // none of the ports speaks TLS for our names
		case len(bad) == 0:
			if good++; good == 1 {
				e.good = e.options.Now()
			}
			if good >= confirmations {
				return counted, nil
			}
			wait = firstLook
		default:
			good = 0
		}
		if deadline := e.patience(); e.options.Now().Sub(began) >= deadline {
			return 0, fmt.Errorf("not served within %s: %s", deadline, strings.Join(bad, ", "))
		}
		if err := e.pause(ctx, wait); err != nil {
			return 0, err
		}
		wait = min(wait*3/2, lastLook)
	}
}

// look dials each endpoint once.
func (e *Engine) look(ctx context.Context) {
	for _, p := range e.endpoints {
		r := e.dial(ctx, p)
		p.cause, p.match, p.leaf = r.Cause, e.compare(r), r.Leaf
		switch p.match {
		case probe.Unknown, probe.Foreign, probe.Default:
		default:
			p.seen = true
		}
	}
	e.up = e.up || e.serving()
}

// serving reports that the last look found TLS wherever it counts.
func (e *Engine) serving() bool {
	counted := 0
	for _, p := range e.endpoints {
		if !p.counts() {
			continue
		}
		if p.match == probe.Unknown {
			return false
		}
		counted++
	}
	return counted > 0
}

// assess counts the endpoints that have a say, and lists those that are not good.
func (e *Engine) assess() (counted int, bad []string) {
	for _, p := range e.endpoints {
		if !p.counts() {
			continue
		}
		counted++
		if !p.good() {
			bad = append(bad, fmt.Sprintf("port %s is %s", p.Endpoint, p.word()))
		}
	}
	return counted, bad
}

// dialTimeout bounds one look at a server on the same machine.
const dialTimeout = 3 * time.Second

func (e *Engine) dial(ctx context.Context, p *endpoint) probe.Result {
	t := probe.Target{
		Address:    net.JoinHostPort(e.config.Host, strconv.Itoa(int(p.Port))),
		ServerName: p.ServerName,
		StartTLS:   probe.Protocol(p.StartTLS),
		Timeout:    dialTimeout,
	}
	wanted := e.wanted()
	if t.ServerName == "" && wanted != nil {
		t.ServerName = serverName(wanted.leaf)
	}
	r := probe.Dial(ctx, t)
	// A server with an RSA and an ECDSA certificate showed the one, and the volume holds the other.
	if m := e.compare(r); wanted != nil && r.State == probe.Served && m != probe.Current && m != probe.Incomplete &&
		r.Leaf.Key != wanted.leaf.Key {
		t.Key = wanted.leaf.Key
		if other := probe.Dial(ctx, t); other.State == probe.Served {
			return other
		}
	}
	return r
}

// serverName picks a name that a leaf is for: an SNI is what most servers choose their certificate by. A wildcard is for
// any name in its place.
func serverName(l probe.Leaf) string {
	for _, n := range l.Names {
		if net.ParseIP(n) == nil {
			if rest, wild := strings.CutPrefix(n, "*."); wild {
				return "certwire." + rest
			}
			return n
		}
	}
	return ""
}

// compare holds what was served against every certificate in the volumes, and tells the best of it: the endpoint may
// be another certificate's. A certificate that waits to be taken up is looked for first.
func (e *Engine) compare(r probe.Result) probe.Match {
	rank := []probe.Match{
		probe.Current, probe.Incomplete, probe.Ahead, probe.Previous, probe.Other, probe.Default, probe.Foreign, probe.Unknown,
	}
	best := len(rank) - 1
	for _, t := range e.tracked {
		if t.pair == nil {
			continue
		}
		m := probe.Compare(r, probe.Wanted{Chain: t.pair.chain, Previous: t.previous()})
		for i, known := range rank[:best] {
			if m == known {
				best = i
				break
			}
		}
	}
	return rank[best]
}
