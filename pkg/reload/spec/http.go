package spec

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// HTTP is the request that makes a server reload.
type HTTP struct {
	// Verb is GET, POST, PUT or PATCH.
	Verb string
	// URL is absolute; its host is a loopback address.
	URL string
	// Expect are the status codes of success; empty means any from 200 to 299.
	Expect []int
	// Headers are sent along, each as in "Name: value".
	Headers []string
	// Body is a file whose content is sent; empty sends none.
	Body string
	// Verify asks for a server certificate that the volume's ca.crt vouches for, under the name ServerName. Otherwise
	// the server is not verified: it is in the same pod.
	Verify     bool
	ServerName string
	// Timeout bounds the request. 0 leaves it to the reader.
	Timeout time.Duration
}

var verbs = []string{"GET", "POST", "PUT", "PATCH"}

// ParseHTTP reads a request as in
//
//	POST :9090/-/reload
//	PUT https://127.0.0.1:8443/reload expect=200,204 timeout=10s name=api.example.com
//
// The verb may be left out, and is POST then. The host may be left out, and is 127.0.0.1 then; another one than the
// loopback is an error. Options come after the URL, in any order: expect=CODES, timeout=DURATION, name=SERVER (verify
// the server's certificate with the volume's ca.crt, under this name), body=FILE, header=NAME:VALUE (more than once).
func ParseHTTP(value string) (HTTP, error) {
	h := HTTP{Verb: "POST"}
	if err := bounded(value); err != nil {
		return h, err
	}
	words := strings.Fields(value)
	if len(words) > 0 && slices.Contains(verbs, words[0]) {
		h.Verb, words = words[0], words[1:]
	}
	if len(words) == 0 {
		return h, errors.New("has no URL; it is as in POST :9090/-/reload")
	}
	var err error
	if h.URL, err = localURL(words[0]); err != nil {
		return h, err
	}
	for _, word := range words[1:] {
		if err := h.option(word); err != nil {
			return h, err
		}
	}
	if h.Verify && !strings.HasPrefix(h.URL, "https://") {
		return h, errors.New("option name= needs an https:// URL")
	}
	return h, nil
}

func (h *HTTP) option(word string) error {
	name, value, _ := strings.Cut(word, "=")
	if value == "" {
		return fmt.Errorf("%q is no option, which is one of expect=, timeout=, name=, body=, header=", word)
	}
	var err error
	switch name {
	case "expect":
		h.Expect, err = statusCodes(value)
	case "timeout":
		h.Timeout, err = timeout(value)
	case "name":
		h.Verify, h.ServerName, err = true, value, checkServerName(value)
	case "body":
		h.Body = value
		if !strings.HasPrefix(value, "/") {
			err = errors.New("is not an absolute path")
		}
	case "header":
		err = h.header(value)
	default:
		return fmt.Errorf("%q is no option, which is one of expect=, timeout=, name=, body=, header=", word)
	}
	if err != nil {
		return fmt.Errorf("option %s: %w", word, err)
	}
	return nil
}

func (h *HTTP) header(value string) error {
	name, content, found := strings.Cut(value, ":")
	bad := strings.ContainsFunc(name, func(r rune) bool { // tchar of RFC 9110 section 5.6.2, as far as headers use it
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}) || strings.ContainsFunc(content, func(r rune) bool { return r < ' ' || r > '~' })
	if !found || name == "" || bad {
		return errors.New("is not as in Cache-Control:must-revalidate")
	}
	h.Headers = append(h.Headers, name+": "+content)
	return nil
}

// localURL completes and checks a URL. The agent shares the server's network, so the loopback is where it is; a
// request to somebody else is not what an annotation on a pod may ask for.
func localURL(text string) (string, error) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", errors.New("the URL cannot be read; it is as in http://127.0.0.1:9090/-/reload, or :9090/-/reload")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("the URL begins with %q, not with http:// or https://", u.Scheme)
	}
	if u.User != nil || u.Fragment != "" {
		return "", errors.New("the URL has a user or a fragment; use option header= for credentials")
	}
	host := u.Hostname()
	if host == "" {
		if u.Port() == "" {
			return "", errors.New("the URL has neither host nor port")
		}
		u.Host = "127.0.0.1:" + u.Port()
	} else if !local(host) {
		return "", fmt.Errorf("the host %q is not 127.0.0.1, [::1] or localhost: the agent talks to its own pod alone", host)
	}
	if p := u.Port(); p != "" && !validPort(p) {
		return "", fmt.Errorf("the port %q is not from 1 to 65535", p)
	}
	return u.String(), nil
}

func local(host string) bool {
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

func validPort(p string) bool {
	n, err := strconv.ParseUint(p, 10, 16)
	return err == nil && n > 0
}

func statusCodes(value string) ([]int, error) {
	var codes []int
	for word := range strings.SplitSeq(value, ",") {
		code, err := strconv.Atoi(word)
		if err != nil || code < 100 || code > 599 {
			return nil, fmt.Errorf("%q is not a status code from 100 to 599", word)
		}
		codes = append(codes, code)
	}
	return codes, nil
}

// Bounds of what a method may take.
const (
	minTimeout = 100 * time.Millisecond
	maxTimeout = 5 * time.Minute
)

func timeout(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d < minTimeout || d > maxTimeout {
		return 0, fmt.Errorf("%q is not a duration from %s to %s, as in 10s", value, minTimeout, maxTimeout)
	}
	return d, nil
}
