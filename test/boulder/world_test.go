package boulder

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jmhodges/clock"
	"github.com/letsencrypt/boulder/config"
	"github.com/letsencrypt/boulder/identifier"
	"github.com/letsencrypt/boulder/ratelimits"

	"github.com/certwire/certwire/pkg/acme"
)

// names are what the worlds order: several under one domain, private suffixes, wildcard and exception rules, addresses.
var names = []string{
	"example.com", "www.example.com", "*.example.com", "a.b.c.example.com", "example.org", "shop.example.co.uk",
	"other.co.uk", "one.github.io", "two.github.io", "*.github.io", "github.io", "a.vercel.app", "b.a.vercel.app",
	"www.ck", "a.www.ck", "deep.foo.ck", "city.kawasaki.jp", "a.b.kawasaki.jp", "xn--bcher-kva.example.net",
	"64.112.117.1", "64.112.117.2", "2602:80a:6000::1", "2602:80a:6000::2", "2602:80a:6000:1::1",
}

// runSeed is the run's seed: from the environment, or a new one.
var runSeed = sync.OnceValues(func() (uint64, error) {
	if given := os.Getenv("CERTWIRE_SEED"); given != "" {
		return strconv.ParseUint(given, 10, 64)
	}
	return rand.Uint64(), nil
})

// random is a test's own source of chance. What it starts from is printed.
func random(t *testing.T, stream uint64) *rand.Rand {
	t.Helper()
	seed, err := runSeed()
	if err != nil {
		t.Fatalf("CERTWIRE_SEED: %v", err)
	}
	t.Logf("CERTWIRE_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, stream))
}

// handClock shows the time that it was set to; boulder's fake clock cannot go back.
type handClock struct {
	clock.Clock
	now time.Time
}

func (c *handClock) Now() time.Time                  { return c.now }
func (c *handClock) Since(t time.Time) time.Duration { return c.now.Sub(t) }

// source is what boulder's in-memory store exports.
type source interface {
	BatchGet(ctx context.Context, bucketKeys []string) (map[string]time.Time, error)
}

// world is one CA with its limits, as boulder and as certwire keep it.
type world struct {
	t      *testing.T
	rng    *rand.Rand
	inside inside
	clock  *handClock

	limits  acme.Limits
	builder *ratelimits.TransactionBuilder
	limiter *ratelimits.Limiter
	source  source
	// tats are certwire's buckets by boulder's keys.
	tats map[string]time.Time
	// pool has transactions of all kinds to make batches of.
	pool []ratelimits.Transaction
	// lastRetry is the latest wait that was told, to move the clock to its end.
	lastRetry time.Duration
	// pace bounds the clock's moves: 2 to that many nanoseconds, at most 13 days.
	pace     int
	refusals int
}

func newWorld(t *testing.T, in inside, rng *rand.Rand) *world {
	t.Helper()
	w := &world{t: t, rng: rng, inside: in, tats: map[string]time.Time{}, clock: &handClock{
		Clock: clock.New(), now: time.Unix(1_760_000_000+rng.Int64N(100_000_000), rng.Int64N(1e9)).UTC(),
	}}
	w.limits, w.pace = w.randomLimits(), 1+rng.IntN(50)
	var err error
	w.builder, err = ratelimits.NewTransactionBuilder(w.configs(), nil, nil, nil)
	w.must(err)
	store := ratelimits.NewInmemSource()
	w.source = store
	w.limiter, err = ratelimits.NewLimiter(w.clock, store, nil)
	w.must(err)
	w.fillPool()
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// randomLimits are Let's Encrypt's own in some worlds, and odd in the others, where one in eight is disabled.
func (w *world) randomLimits() acme.Limits {
	known, err := acme.NewDirectories(acme.KnownCAs()...)
	w.must(err)
	var host string
	switch w.rng.IntN(4) {
	case 0:
		host = "https://acme-v02.api.letsencrypt.org/directory"
	case 1:
		host = "https://acme-staging-v02.api.letsencrypt.org/directory"
	default:
		return acme.Limits{
			NewOrders: w.randomLimit(), FailedAuthorizations: w.randomLimit(),
			CertificatesPerDomain: w.randomLimit(), CertificatesPerSet: w.randomLimit(),
		}
	}
	service, ok := known.Service(host)
	if !ok {
		w.t.Fatalf("no limits known for %s", host)
	}
	return service.Limits
}

func (w *world) randomLimit() acme.Limit {
	if w.rng.IntN(8) == 0 {
		return acme.Limit{}
	}
	l := acme.Limit{Count: 1 + w.rng.Int64N(20), Burst: 1 + w.rng.Int64N(20)}
	if w.rng.IntN(3) == 0 {
		l.Count = 1 + w.rng.Int64N(100_000)
	}
	switch w.rng.IntN(4) {
	case 0:
		l.Period = time.Duration(l.Count + w.rng.Int64N(3)) // an interval of a nanosecond
	case 1:
		l.Period = time.Duration(l.Count + w.rng.Int64N(int64(10*time.Second)))
	case 2:
		l.Period = time.Duration(l.Count + w.rng.Int64N(int64(200*time.Hour)))
	default:
		l.Period = time.Duration(1+w.rng.Int64N(200)) * time.Hour
	}
	return l
}

func (w *world) configs() ratelimits.LimitConfigs {
	configs := ratelimits.LimitConfigs{}
	for name, l := range map[string]acme.Limit{
		"NewOrdersPerAccount":                               w.limits.NewOrders,
		"FailedAuthorizationsPerDomainPerAccount":           w.limits.FailedAuthorizations,
		"CertificatesPerDomain":                             w.limits.CertificatesPerDomain,
		"CertificatesPerFQDNSet":                            w.limits.CertificatesPerSet,
		"NewRegistrationsPerIPAddress":                      {Count: 10, Burst: 10, Period: 3 * time.Hour},
		"NewRegistrationsPerIPv6Range":                      {Count: 7, Burst: 5, Period: 3*time.Hour + 1},
		"FailedAuthorizationsForPausingPerDomainPerAccount": {Count: 1, Burst: 1152, Period: 24 * time.Hour},
	} {
		if l.Enabled() {
			configs[name] = &ratelimits.LimitConfig{Count: l.Count, Burst: l.Burst, Period: config.Duration{Duration: l.Period}}
		}
	}
	return configs
}

func (w *world) account() int64 { return 1 + w.rng.Int64N(3) }

func accountURL(id int64) string { return fmt.Sprintf("https://acme.example/acct/%d", id) }

// order is a set of names that comes up again and again, since there are few.
func (w *world) order() []string {
	first := w.rng.IntN(len(names))
	var order []string
	for i := range 1 + w.rng.IntN(3) {
		order = append(order, names[(first+i*i)%len(names)])
	}
	return order
}

func identifiers(order []string) identifier.ACMEIdentifiers {
	return identifier.Normalize(identifier.FromStringSlice(order))
}

// fillPool gathers one transaction of each kind for some buckets: what an order checks and spends, what an issuance and a
// failure spend, new accounts.
func (w *world) fillPool() {
	for range 6 {
		account, idents := w.account(), identifiers(w.order())
		for _, make := range []func() ([]ratelimits.Transaction, error){
			func() ([]ratelimits.Transaction, error) {
				return w.builder.NewOrderLimitTransactions(account, idents, false)
			},
			func() ([]ratelimits.Transaction, error) {
				return w.builder.CertificatesPerDomainSpendOnlyTransactions(account, idents)
			},
			func() ([]ratelimits.Transaction, error) {
				return w.builder.NewAccountLimitTransactions(w.address())
			},
			one(func() (ratelimits.Transaction, error) {
				return w.builder.CertificatesPerFQDNSetSpendOnlyTransaction(idents)
			}),
			one(func() (ratelimits.Transaction, error) {
				return w.builder.FailedAuthorizationsPerDomainPerAccountSpendOnlyTransaction(account, idents[0])
			}),
			one(func() (ratelimits.Transaction, error) {
				return w.builder.FailedAuthorizationsForPausingPerDomainPerAccountTransaction(account, idents[0])
			}),
		} {
			txns, err := make()
			w.must(err)
			w.pool = append(w.pool, txns...)
		}
	}
}

func one(f func() (ratelimits.Transaction, error)) func() ([]ratelimits.Transaction, error) {
	return func() ([]ratelimits.Transaction, error) {
		txn, err := f()
		return []ratelimits.Transaction{txn}, err
	}
}

func (w *world) address() netip.Addr {
	if w.rng.IntN(2) == 0 {
		return netip.AddrFrom4([4]byte{192, 0, 2, byte(w.rng.IntN(3))})
	}
	return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: byte(w.rng.IntN(3))})
}
