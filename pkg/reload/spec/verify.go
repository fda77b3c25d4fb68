package spec

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Endpoint is where TLS is served.
type Endpoint struct {
	Port uint16
	// StartTLS is a protocol of package probe; empty is TLS from the first byte.
	StartTLS string
	// ServerName is sent as SNI; empty leaves the choice to the reader.
	ServerName string
}

// String is how the annotation spells it.
func (e Endpoint) String() string {
	s := strconv.Itoa(int(e.Port))
	if e.StartTLS != "" {
		s += "+" + e.StartTLS
	}
	if e.ServerName != "" {
		s += "=" + e.ServerName
	}
	return s
}

// Protocols are those that a port may start TLS in, as package probe names them.
func Protocols() []string {
	return []string{"imap", "ldap", "mysql", "pop3", "postgres", "smtp"}
}

// maxEndpoints bounds what is dialled after each change.
const maxEndpoints = 16

// ParseVerify reads a list of endpoints with commas between them, each as in 8443, 5432+postgres, 8443=api.example.com
// or 25+smtp=mail.example.com.
func ParseVerify(value string) ([]Endpoint, error) {
	if err := bounded(value); err != nil {
		return nil, err
	}
	var endpoints []Endpoint
	for word := range strings.SplitSeq(value, ",") {
		e, err := parseEndpoint(strings.TrimSpace(word))
		if err != nil {
			return nil, err
		}
		if slices.Contains(endpoints, e) {
			return nil, fmt.Errorf("%q is there twice", e)
		}
		if endpoints = append(endpoints, e); len(endpoints) > maxEndpoints {
			return nil, fmt.Errorf("names more than %d endpoints", maxEndpoints)
		}
	}
	return endpoints, nil
}

func parseEndpoint(word string) (Endpoint, error) {
	var e Endpoint
	left, name, named := strings.Cut(word, "=")
	port, protocol, plain := strings.Cut(left, "+")
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || port[0] == '+' {
		return e, fmt.Errorf("%q has no port from 1 to 65535; an endpoint is as in 8443, 5432+postgres or 8443=api.example.com", word)
	}
	e.Port = uint16(n)
	if plain && !slices.Contains(Protocols(), protocol) {
		return e, fmt.Errorf("%q starts TLS in no protocol of %s", word, list(Protocols()))
	}
	e.StartTLS = protocol
	if named {
		if err := checkServerName(name); err != nil {
			return e, fmt.Errorf("%q: %w", word, err)
		}
	}
	e.ServerName = name
	return e, nil
}

// checkServerName takes host names in their ASCII form. An address is none (RFC 6066 section 3).
func checkServerName(name string) error {
	if _, err := netip.ParseAddr(name); err == nil || net.ParseIP(name) != nil {
		return errors.New("a server name is no address")
	}
	if name == "" || len(name) > 253 {
		return errors.New("a server name has 1 to 253 characters")
	}
	for label := range strings.SplitSeq(name, ".") {
		bad := strings.ContainsFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
		})
		if bad || label == "" || len(label) > 63 {
			return errors.New("a server name is labels of letters, digits and hyphens with dots between them")
		}
	}
	return nil
}
