package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/ledger"
	"github.com/certwire/certwire/test/harness"
)

// The cluster that the meter is measured for.
const (
	meteredCertificates = 100_000
	meteredDomains      = 20_000
	// meteredSets are one domain's; the rest is spread evenly.
	meteredSets = 10_000
	// renewsEvery is the time between two orders of a Certificate: two thirds of 90 days.
	renewsEvery = 60 * 24 * time.Hour
	// etcdLimit is the largest request that etcd takes by default (etcd, server/embed, DefaultMaxRequestBytes).
	etcdLimit = 3 << 19
	// stateLimit is the CRD's, in characters of base64.
	stateLimit = 1_400_000
	// clientRate is how many requests a second the product's own client makes (cmd/webhook, connect).
	clientRate = 50
	// refreshes are the writes that an order causes later, while its tokens come back and it is forgotten, in a domain that
	// nobody else orders for: pkg/ledger, TestWritesOfARenewal.
	refreshes = 3
)

// meter measures the budgets.
type meter struct {
	*bench

	scheme      *runtime.Scheme
	directories acme.Directories
	service     acme.Service
	// account is whose orders the present part measures: a part does not use up another one's limit.
	account string
	// sustained is the writes per second of many small budgets, perRenewal the writes of one renewal.
	sustained, perRenewal float64
}

// budgets measures what the ledger costs: the size of a budget and of its writes, writes per order, cold start, memory.
func (b *bench) budgets(ctx context.Context) error {
	m := &meter{bench: b, scheme: runtime.NewScheme()}
	if err := v1alpha1.AddToScheme(m.scheme); err != nil {
		return fmt.Errorf("preparing the types: %w", err)
	}
	var err error
	if m.directories, err = acme.NewDirectories(acme.KnownCAs()...); err != nil {
		return fmt.Errorf("reading the known CAs: %w", err)
	}
	m.service, _ = m.directories.Service("https://acme-v02.api.letsencrypt.org/directory")
	crds := filepath.Join(harness.Root(), "manifests", "base", "crds")
	if _, err := b.cluster.Kubectl(ctx, "", "create", "-f", crds); err != nil {
		return err
	}
	defer func() {
		if os.Getenv("KUBECONFIG") != "" {
			_, _ = b.cluster.Kubectl(context.WithoutCancel(ctx), "", "delete", "-f", crds)
		}
	}()
	if _, err := b.cluster.Kubectl(ctx, "", "wait", "--for=condition=Established", "--timeout=60s", "-f", crds); err != nil {
		return err
	}
	b.conditions("before")
	for i, part := range []func(context.Context) error{m.sizes, m.writesPerOrder, m.coldStart, m.resident} {
		m.account = fmt.Sprintf("https://acme-v02.api.letsencrypt.org/acme/acct/%d", i)
		if err := part(ctx); err != nil {
			return err
		}
	}
	b.conditions("after")
	return nil
}

// replica is a ledger with its own cache and connection, as one process of certwire has it.
type replica struct {
	*ledger.Ledger

	// writes counts the requests that changed something, refused those that did not.
	writes, refused *atomic.Int64
	stop            func()
}

// replica starts a ledger that knows nothing. Its client has no limit of its own.
func (m *meter) replica(ctx context.Context, leads bool) (*replica, error) {
	r := &replica{writes: &atomic.Int64{}, refused: &atomic.Int64{}}
	config := rest.CopyConfig(m.cluster.Rest)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return countingWrites{r, next} })
	budgets, err := cache.New(config, cache.Options{Scheme: m.scheme})
	if err != nil {
		return nil, fmt.Errorf("preparing the cache: %w", err)
	}
	live, err := client.New(config, client.Options{Scheme: m.scheme})
	if err != nil {
		return nil, fmt.Errorf("preparing the client: %w", err)
	}
	r.Ledger = ledger.New(ledger.Options{
		Cache: budgets, Client: live, Directories: func() acme.Directories { return m.directories },
		Orders: func(func(string) bool) {}, OrdersReady: func() error { return nil }, Leading: func() bool { return leads },
		Log: logr.Discard(), Now: time.Now,
	})
	running, cancel := context.WithCancel(ctx)
	ended := make(chan struct{}, 2)
	go func() { _ = budgets.Start(running); ended <- struct{}{} }()
	go func() { _ = r.Start(running); ended <- struct{}{} }()
	r.stop = func() { cancel(); <-ended; <-ended }
	patience, done := context.WithTimeout(ctx, harness.Patience)
	defer done()
	if err := poll(patience, func() (bool, error) { return r.Ready() == nil, nil }); err != nil {
		r.stop()
		return nil, fmt.Errorf("waiting for a ledger to be ready: %w", err)
	}
	return r, nil
}

// countingWrites counts requests that are to change something.
type countingWrites struct {
	of   *replica
	next http.RoundTripper
}

func (c countingWrites) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := c.next.RoundTrip(request)
	if request.Method == http.MethodGet {
		return response, err
	}
	if err != nil || response.StatusCode >= 300 {
		c.of.refused.Add(1)
	} else {
		c.of.writes.Add(1)
	}
	return response, err
}

// settled waits until a ledger has stored everything, and returns false when it has not by the deadline.
func (m *meter) settled(ctx context.Context, r *replica, within time.Duration) (bool, error) {
	patience, done := context.WithTimeout(ctx, within)
	defer done()
	err := poll(patience, func() (bool, error) { return r.Lag() < time.Millisecond, nil })
	if err != nil && errors.Is(patience.Err(), context.DeadlineExceeded) && ctx.Err() == nil {
		return false, nil
	}
	return err == nil, err
}

// order is an order by a Certificate of its own; due ones are renewals.
func (m *meter) order(uid, name string, created time.Time, due bool) ledger.Order {
	return ledger.NewOrder(ledger.Order{
		UID: uid, Namespace: "shop", Certificate: "web", Service: m.service, Account: m.account,
		Created: created, Due: due,
	}, []string{name})
}

// issued is what a watch shows of an order that was issued.
func issued(o ledger.Order, at time.Time) ledger.Seen {
	return ledger.Seen{Order: o, Stage: ledger.Issued, Taken: true, IssuedAt: at.Add(-o.Service.Backdate)}
}

func hostOf(i int, domain string) string { return fmt.Sprintf("host-%05d.%s", i, domain) }
