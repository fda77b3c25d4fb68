package acme

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/net/idna"
)

// ErrNoHost is returned by [Host] for a URL that names no host, such as one without a scheme.
var ErrNoHost = errors.New("no host in the ACME directory URL")

// Host returns the host of an ACME directory URL in the one spelling that certwire compares: lower case, without a
// trailing dot and without the default port. Path, query and user information do not count: a CA is recognised by its
// host, since an issuer's name says nothing and a directory's path may have aliases.
//
// Any other port stays ("localhost:14000"), because it is another server. Errors wrap [ErrNoHost] or net/url's own.
func Host(directory string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(directory))
	if err != nil {
		return "", fmt.Errorf("reading the ACME directory URL: %w", err)
	}
	name := strings.ToLower(u.Hostname()) // first: some letters are a host's only when they are small
	if ascii, err := idna.Lookup.ToASCII(name); err == nil {
		name = ascii // as Go's HTTP client, and so cert-manager's, spells a host before it looks it up
	}
	name = strings.TrimRight(name, ".")
	if name == "" {
		return "", ErrNoHost
	}
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	port := strings.TrimLeft(u.Port(), "0")
	if port == "" || port == "443" {
		return name, nil
	}
	return name + ":" + port, nil
}
