package reload

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxAnswer bounds what is read of a server's answer.
const maxAnswer = 64 << 10

// actHTTP sends one request and looks at the status code.
func (e *Engine) actHTTP(ctx context.Context) error {
	h := e.spec.HTTP
	ctx, cancel := context.WithTimeout(ctx, orElse(h.Timeout, time.Duration(e.config.Timeout)))
	defer cancel()
	config := e.localTLS()
	if h.Verify {
		roots, err := e.roots()
		if err != nil {
			return err
		}
		config.InsecureSkipVerify, config.RootCAs, config.ServerName = false, roots, h.ServerName
	}
	// No proxy, no connection kept, no redirect followed: one question to one server, and its own answer.
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true, MaxResponseHeaderBytes: maxAnswer}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	request, err := e.request(ctx)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err // names verb and URL
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if slices.Contains(h.Expect, response.StatusCode) || len(h.Expect) == 0 && response.StatusCode/100 == 2 {
		return nil
	}
	return fmt.Errorf("%s %s: answered %d %s", h.Verb, h.URL, response.StatusCode, excerpt(body))
}

func (e *Engine) request(ctx context.Context) (*http.Request, error) {
	h := e.spec.HTTP
	var body io.Reader
	if h.Body != "" {
		content, err := readBounded(h.Body, maxFile)
		if err != nil {
			return nil, fmt.Errorf("reading the request's body: %w", err)
		}
		body = bytes.NewReader(content)
	}
	request, err := http.NewRequestWithContext(ctx, h.Verb, h.URL, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "certwire-agent")
	for _, line := range h.Headers {
		name, value, _ := strings.Cut(line, ": ")
		request.Header.Set(name, value)
	}
	return request, nil
}

// localTLS is for a server in the same pod: it is not verified, since its certificate is for a public name and may be
// the very one that has to be replaced. It is shown the volume's own pair if it asks for one.
func (e *Engine) localTLS() *tls.Config {
	own := e.config.Certificates[0]
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			cert, err := readFile(own.Root, own.Cert)
			if err != nil {
				return &tls.Certificate{}, nil //nolint:nilerr // an empty one says that there is none
			}
			key, err := readFile(own.Root, own.Key)
			if err != nil {
				return &tls.Certificate{}, nil //nolint:nilerr // as above
			}
			p, err := tls.X509KeyPair(cert, key)
			if err != nil {
				return &tls.Certificate{}, nil //nolint:nilerr // as above
			}
			return &p, nil
		},
	}
}

// roots are the volumes' own CA certificates.
func (e *Engine) roots() (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	found := false
	for _, c := range e.config.Certificates {
		if content, err := readFile(c.Root, c.CA); err == nil {
			found = pool.AppendCertsFromPEM(content) || found
		}
	}
	if !found {
		return nil, final(errors.New("option name= needs a ca.crt in the volume"))
	}
	return pool, nil
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// excerpt shows the beginning of what a server answered, on one line.
func excerpt(answer []byte) string {
	const most = 120
	text := strings.TrimSpace(string(answer[:min(len(answer), most)]))
	if text == "" {
		return "and nothing else"
	}
	return fmt.Sprintf("%q", text)
}
