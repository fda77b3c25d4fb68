package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const serverName = "certwire.certwire.svc"

// testOptions are for one replica against the fake API server. The delay is far above what a handshake here takes.
func testOptions(api *apiServer) Options {
	return Options{
		Namespace: "certwire", DNSNames: []string{serverName}, RESTConfig: api.config(), PublishDelay: time.Second,
	}
}

// running starts a replica, which ends with the test; Start must return nil.
func running(t *testing.T, o Options) *SelfManaged {
	t.Helper()
	source, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	inBackground(t, source.Start)
	return source
}

// inBackground runs what blocks until its context ends; stop ends it early and waits for it.
func inBackground(t *testing.T, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	var stopped atomic.Bool
	stop = func() {
		cancel()
		if stopped.Swap(true) {
			return
		}
		if err := <-ended; err != nil {
			t.Errorf("ended with %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// listen serves TLS with the source, and returns the address.
func listen(t *testing.T, source Source) string {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: source.GetCertificate})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				_ = connection.(*tls.Conn).Handshake()
				_, _ = connection.Read(make([]byte, 1)) // until the client hangs up
			}()
		}
	}()
	return listener.Addr().String()
}

// handshake calls as an API server does, trusting bundle alone, and returns the leaf.
func handshake(address string, bundle []byte) (*x509.Certificate, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	connection, err := tls.DialWithDialer(dialer, "tcp", address, &tls.Config{RootCAs: roots, ServerName: serverName})
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	return connection.ConnectionState().PeerCertificates[0], nil
}

// TestRotationFailsNoHandshake deletes the CA Secret under two replicas and a stream of handshakes. Real are
// cert-manager's authority and source, the informers, HTTP and TLS; the API server is a fake, see apiServer.
func TestRotationFailsNoHandshake(t *testing.T) {
	t.Parallel()
	api := newAPIServer(t)
	api.applyMutating(nil, nil)
	api.applyValidating(nil)
	leader, follower := running(t, testOptions(api)), running(t, testOptions(api))
	if err := leader.Healthy(); err == nil {
		t.Error("healthy before anything happened")
	}
	inBackground(t, leader.Bundler().Run)
	eventually(t, "getting ready", func() error { return errors.Join(leader.Healthy(), follower.Healthy()) })

	addresses := []string{listen(t, leader), listen(t, follower)}
	var calls atomic.Int64
	inBackground(t, func(ctx context.Context) error {
		for ctx.Err() == nil {
			for _, bundle := range api.bundles() {
				for _, address := range addresses {
					if _, err := handshake(address, bundle); err != nil {
						return fmt.Errorf("handshake %d: %w", calls.Load(), err)
					}
					calls.Add(1)
				}
			}
		}
		return nil
	})

	for range 2 {
		old := api.secretCA()
		api.remove(secrets, "certwire-ca")
		eventually(t, "getting a new CA", func() error {
			if ca := api.secretCA(); len(ca) == 0 || string(ca) == string(old) {
				return errors.New("the Secret has none")
			}
			return nil
		})
		for _, address := range addresses {
			eventually(t, "serving a leaf from the new CA", func() error {
				_, err := handshake(address, api.secretCA())
				return err
			})
		}
		before := calls.Load()
		eventually(t, "going on with the stream", func() error {
			if calls.Load() < before+10 {
				return errors.New("no handshakes")
			}
			return nil
		})
	}
	if got := len(parse(api.bundles()[0])); got != 3 {
		t.Errorf("%d CAs in the bundle after two rotations within a leaf's life, want 3", got)
	}
	leaf, ca := leader.NotAfter()
	if until := time.Until(leaf); until < 6*day || until > 7*day {
		t.Errorf("the leaf ends in %s, want 7 days", until)
	}
	if until := time.Until(ca); until < 364*day || until > 365*day {
		t.Errorf("the CA ends in %s, want 365 days", until)
	}
	t.Logf("%d handshakes", calls.Load())
}

// TestRequests pins what RBAC must allow.
func TestRequests(t *testing.T) {
	t.Parallel()
	api := newAPIServer(t)
	api.applyMutating(nil)
	api.applyValidating(nil)
	source := running(t, testOptions(api))
	inBackground(t, source.Bundler().Run)
	eventually(t, "getting ready", source.Healthy)
	want := []string{
		"GET " + secrets, "GET " + mutatingWebhooks, "GET " + validatingWebhooks, // list, by name
		"PATCH " + mutatingWebhooks, "PATCH " + validatingWebhooks,
		"POST " + secrets,
		"WATCH " + secrets, "WATCH " + mutatingWebhooks, "WATCH " + validatingWebhooks, // by name
	}
	if diff := cmp.Diff(want, api.requests(), cmpSorted()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestStartWithoutAPIServer(t *testing.T) {
	t.Parallel()
	api := newAPIServer(t)
	options := testOptions(api)
	api.server.Close()
	source, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	stop := inBackground(t, source.Start) // fails the test unless Start returns nil
	if err := source.Healthy(); err == nil {
		t.Error("healthy without an API server")
	}
	if _, err := source.GetCertificate(nil); err == nil {
		t.Error("a certificate without an API server")
	}
	stop()
	if err := source.Start(t.Context()); err == nil {
		t.Error("a second Start must fail")
	}
}
