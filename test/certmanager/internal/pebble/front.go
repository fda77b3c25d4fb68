package pebble

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// newFront returns a server that passes requests on to Pebble at the address to. The
// host that the client asked for stays, since signed requests and the URLs in the
// answers name it. Lines about new orders go to the writer, each in one write.
func newFront(authority *Authority, to string, lines io.Writer) *http.Server {
	proxy := &httputil.ReverseProxy{
		Transport: authority.transport(),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "https", Host: to})
			r.Out.Host = r.In.Host
		},
		ModifyResponse: func(response *http.Response) error {
			line, err := newOrder(response, time.Now())
			if err != nil || line == "" {
				return err
			}
			_, err = io.WriteString(lines, line)
			return err
		},
		ErrorLog: log.New(lines, "front: ", 0),
	}
	return &http.Server{
		Handler:           proxy,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{authority.serving}},
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          proxy.ErrorLog,
	}
}

// newOrder returns the line about an answer that creates an order, and "" for every
// other answer. Only two kinds of answers are 201 (RFC 8555, sections 7.3 and 7.4):
// new accounts, which have no identifiers, and new orders. The answer can be read
// again afterwards.
func newOrder(response *http.Response, now time.Time) (string, error) {
	if response.StatusCode != http.StatusCreated {
		return "", nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return "", fmt.Errorf("reading the answer: %w", err)
	}
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	var order struct {
		Identifiers []struct{ Value string }
	}
	if err := json.Unmarshal(body, &order); err != nil || len(order.Identifiers) == 0 {
		return "", nil //nolint:nilerr // no order, then: it is the client's to complain
	}
	var names []string
	for _, identifier := range order.Identifiers {
		names = append(names, identifier.Value)
	}
	slices.Sort(names)
	return fmt.Sprintf("%s front: order %q is for %s\n", now.UTC().Format("2006-01-02T15:04:05.000000Z07:00"),
		path.Base(response.Header.Get("Location")), strings.Join(names, ",")), nil
}

// transport trusts the authority and nobody else.
func (a *Authority) transport() *http.Transport {
	return &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: a.pool},
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 16,
	}
}
