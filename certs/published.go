package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/utils/clock"
)

// published knows which CAs the webhook configurations have, as this replica sees them, and since when. It is fed by
// the informers' events, so asking it makes no call. It is safe for concurrent use.
type published struct {
	// retention tells our CAs from others.
	retention retention
	// delay is how long a CA must have been seen everywhere.
	delay time.Duration
	clock clock.PassiveClock
	// synced tells whether the configurations have been read at all.
	synced func() bool

	mu sync.Mutex
	// since has, for each configuration by key, the CAs that all of its caBundles hold, and since when.
	since map[string]map[string]time.Time
	// seen has our CAs from wherever they were seen, by their bytes. It outlives them there: a configuration that is
	// applied anew without caBundles, amid a rotation, gets the old CA back too.
	seen map[string]*x509.Certificate
}

func newPublished(rule retention, delay time.Duration, clock clock.PassiveClock, synced func() bool) *published {
	return &published{
		retention: rule, delay: delay, clock: clock, synced: synced,
		since: map[string]map[string]time.Time{}, seen: map[string]*x509.Certificate{},
	}
}

// observe takes in the state of a configuration. With initial, it is the first one that this process sees, and what
// the bundler wrote before counts from when it did: a replica that starts need not wait for a CA of last month.
func (p *published) observe(c configuration, initial bool) {
	p.mu.Lock()
	defer p.mu.Unlock()

	first := p.clock.Now()
	if initial && !c.written.IsZero() && c.written.Before(first) {
		first = c.written
	}
	before, now := p.since[c.key()], map[string]time.Time{}
	for i, bundle := range c.bundles {
		in := map[string]time.Time{}
		for _, ca := range parse(bundle) {
			p.remember(ca)
			raw := string(ca.Raw)
			if _, everywhere := now[raw]; i > 0 && !everywhere {
				continue
			}
			in[raw] = first
			if since, ok := before[raw]; ok {
				in[raw] = since
			}
		}
		now = in
	}
	if len(c.bundles) == 0 {
		delete(p.since, c.key())
		return
	}
	p.since[c.key()] = now
}

// forget takes in that a configuration is gone.
func (p *published) forget(c configuration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.since, c.key())
}

// observeCA takes in the CA of the Secret.
func (p *published) observeCA(ca *x509.Certificate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remember(ca)
}

// remember adds to seen, of which it keeps the newest. The caller holds mu.
func (p *published) remember(ca *x509.Certificate) {
	if len(p.retention.ours([]*x509.Certificate{ca})) == 0 {
		return
	}
	p.seen[string(ca.Raw)] = ca
	if len(p.seen) > maxCAs {
		oldest := slices.MaxFunc(slices.Collect(maps.Values(p.seen)), newestFirst)
		delete(p.seen, string(oldest.Raw))
	}
}

// known returns our CAs that were seen anywhere since the process started, at most maxCAs.
func (p *published) known() []*x509.Certificate {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Values(p.seen))
}

// verify is nil if every API server can verify leaf: in each configuration, all caBundles have had its CA for the delay.
// A configuration that does not exist, or has no webhook, makes no calls and asks for nothing; were it otherwise, an
// installer that applies the configurations once the Deployment is ready would wait for ever.
// The errors' texts do not change from one second to the next, so that a change is worth a log line.
func (p *published) verify(leaf *x509.Certificate) error {
	if !p.synced() {
		return errors.New("the webhook configurations have not been read yet")
	}
	p.mu.Lock()
	defer p.mu.Unlock()

	now := p.clock.Now()
	var missing []error
	for _, key := range slices.Sorted(maps.Keys(p.since)) {
		since, ok := issuedBy(leaf, p.since[key], now)
		switch {
		case !ok:
			missing = append(missing, fmt.Errorf("the leaf's CA is not in every caBundle of %s", key))
		case now.Before(since.Add(p.delay)):
			missing = append(missing, fmt.Errorf("the leaf's CA is in %s for less than %s", key, p.delay))
		}
	}
	return utilerrors.NewAggregate(missing) // on one line
}

// issuedBy returns since when the CA of leaf is among cas, the keys of which are DER.
func issuedBy(leaf *x509.Certificate, cas map[string]time.Time, now time.Time) (since time.Time, ok bool) {
	for raw, since := range cas {
		ca, err := x509.ParseCertificate([]byte(raw))
		if err != nil {
			continue
		}
		roots := x509.NewCertPool()
		roots.AddCert(ca)
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now}); err == nil {
			return since, true
		}
	}
	return time.Time{}, false
}
