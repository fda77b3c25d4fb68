package front

import (
	"net/netip"
	"slices"
	"strings"
)

// sni is the name to ask for where a host is served: a wildcard is for any name in its place, and an address is no name
// (RFC 6066 section 3). False for what cannot be asked for.
func sni(host string) (string, bool) {
	if rest, wild := strings.CutPrefix(host, "*."); wild {
		host = "certwire." + rest
	}
	if _, err := netip.ParseAddr(host); err == nil || host == "" || len(host) > 253 {
		return "", false
	}
	bad := strings.ContainsFunc(host, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
	return host, !bad
}

// ServerName is the first of a leaf's names that can be asked for; empty for none. Most servers choose their certificate by
// the name.
func ServerName(names []string) string {
	for _, name := range names {
		if host, ok := sni(name); ok {
			return host
		}
	}
	return ""
}

// OwnName is the first of a leaf's names that is the cluster's own for one of a namespace's Services; empty for none.
func OwnName(names []string, namespace string, services []string) string {
	for _, name := range names {
		service, rest, dotted := strings.Cut(name, ".")
		if slices.Contains(services, service) &&
			(!dotted || slices.Contains([]string{namespace, namespace + ".svc", namespace + ".svc.cluster.local"}, rest)) {
			return name
		}
	}
	return ""
}
