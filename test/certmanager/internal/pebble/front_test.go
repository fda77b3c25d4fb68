package pebble

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

func TestNewOrder(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 17, 30, 0, 123_456_000, time.UTC)
	const order = `{"status":"pending","identifiers":[{"type":"dns","value":"b.example.com"},{"type":"dns","value":"a.example.com"}]}`
	tests := map[string]struct {
		status     int
		body, want string
	}{
		"if an order is created, then its names are told, sorted": {201, order, `2026-11-23T17:30:00.123456Z front: order "x-1_y" is for a.example.com,b.example.com` + "\n"},
		"if an order is only looked at, then nothing":             {200, order, ""},
		"if an account is created, then nothing":                  {201, `{"status":"valid","orders":"https://localhost/list-orderz/1"}`, ""},
		"if the answer is no JSON, then nothing":                  {201, "created", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response := &http.Response{
				StatusCode: test.status,
				Header:     http.Header{"Location": {"https://localhost:1/my-order/x-1_y"}},
				Body:       io.NopCloser(strings.NewReader(test.body)),
			}
			got, err := newOrder(response, now)
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if rest, err := io.ReadAll(response.Body); err != nil || string(rest) != test.body {
				t.Errorf("the client would get %q (%v), want %q", rest, err, test.body)
			}
		})
	}
}

func FuzzNewOrder(f *testing.F) {
	f.Add([]byte(`{"identifiers":[{"value":"a.example.com"}]}`), "https://localhost/my-order/1")
	f.Add([]byte(`{}`), "")
	f.Fuzz(func(t *testing.T, body []byte, location string) {
		response := &http.Response{StatusCode: http.StatusCreated, Header: http.Header{"Location": {location}}, Body: io.NopCloser(bytes.NewReader(body))}
		if _, err := newOrder(response, time.Time{}); err != nil {
			t.Error(err)
		}
		if rest, err := io.ReadAll(response.Body); err != nil || !bytes.Equal(rest, body) {
			t.Errorf("the client would get %q (%v), want %q", rest, err, body)
		}
	})
}

func TestTheFrontPassesOn(t *testing.T) {
	t.Parallel()
	authority, err := NewAuthority(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	behind := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Replay-Nonce", "n1")
		w.Header().Set("Location", "https://"+r.Host+"/my-order/7")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"identifiers":[{"value":"`+r.Method+r.URL.Path+string(body)+`"}]}`)
	}))
	behind.TLS = &tls.Config{Certificates: []tls.Certificate{authority.serving}}
	behind.StartTLS()
	defer behind.Close()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	front := newFront(authority, behind.Listener.Addr().String(), &lines)
	defer front.Close()
	go func() { _ = front.ServeTLS(listener, "", "") }()

	client := &http.Client{Transport: authority.transport()}
	defer client.CloseIdleConnections()
	response, err := client.Post("https://"+listener.Addr().String()+"/order-plz", "application/jose+json", strings.NewReader("-signed"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusCreated || response.Header.Get("Replay-Nonce") != "n1" || string(body) != `{"identifiers":[{"value":"POST/order-plz-signed"}]}` {
		t.Errorf("the answer is %s, %v, %s", response.Status, response.Header, body)
	}
	if want := "https://" + listener.Addr().String() + "/my-order/7"; response.Header.Get("Location") != want {
		t.Errorf("the server behind saw another host: the location is %s, want %s", response.Header.Get("Location"), want)
	}
	if !strings.HasSuffix(lines.String(), ` front: order "7" is for POST/order-plz-signed`+"\n") {
		t.Errorf("the log says %q", lines.String())
	}
}

func TestTheAuthorityIsForLoopbackAlone(t *testing.T) {
	t.Parallel()
	authority, err := NewAuthority(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(authority.certFile, authority.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	for host, ok := range map[string]bool{"localhost": true, "127.0.0.1": true, "example.com": false} {
		if err := pair.Leaf.VerifyHostname(host); (err == nil) != ok {
			t.Errorf("%s: %v", host, err)
		}
	}
	if info, err := os.Stat(authority.keyFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file is %v (%v)", info, err)
	}
}
