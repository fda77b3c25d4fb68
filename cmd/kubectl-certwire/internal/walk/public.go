package walk

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/chain"
	"github.com/certwire/certwire/pkg/delivery"
)

// maxHosts bounds how many public names are dialled.
const maxHosts = 10

// public dials names that an Ingress or a Gateway has and the certificate is for, as this machine resolves them.
func (l *look) public(ctx context.Context, hosts []string) {
	slices.Sort(hosts)
	hosts = slices.DeleteFunc(slices.Compact(hosts), func(h string) bool { return !dialable(h) || !covers(l.want.Names, h) })
	hosts = hosts[:min(len(hosts), maxHosts)]
	seen := make([]chain.Place, len(hosts))
	l.each(len(hosts), func(i int) {
		r := l.options.Public(ctx, hosts[i])
		seen[i] = chain.Place{
			Layer: chain.LayerPublic, Host: hosts[i], Port: strconv.Itoa(https), State: string(delivery.StateOf(r, l.want, l.previous)), Cause: string(r.Cause),
			Leaf: short(r.Leaf),
		}
	})
	l.facts.Places = append(l.facts.Places, seen...)
}

// dialable keeps to names of hosts: no wildcard, no address, and no single word.
func dialable(host string) bool {
	top := host[strings.LastIndexByte(host, '.')+1:]
	return strings.Contains(host, ".") && !strings.ContainsAny(host, "*:/@ ") && strings.ContainsAny(top, "abcdefghijklmnopqrstuvwxyz")
}

// covers reports whether a certificate's names are for a host. A wildcard is for one label (RFC 9525 section 6.3).
func covers(names []string, host string) bool {
	_, rest, _ := strings.Cut(host, ".")
	return slices.Contains(names, host) || slices.Contains(names, "*."+rest)
}
