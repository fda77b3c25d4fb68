package boulder

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/letsencrypt/boulder/ratelimits"

	"github.com/certwire/certwire/pkg/acme"
)

const operationsPerWorld = 2000

func TestAMillionOperations(t *testing.T) {
	t.Parallel()
	total := 1_000_000
	if given := os.Getenv("CERTWIRE_OPERATIONS"); given != "" {
		var err error
		if total, err = strconv.Atoi(given); err != nil {
			t.Fatalf("CERTWIRE_OPERATIONS: %v", err)
		}
	}
	rng := random(t, 1)
	in := newInside(t)
	counts := map[string]int{}
	compared, denied, refusals := 0, 0, 0
	for compared < total {
		w := newWorld(t, in, rng)
		for i := 0; i < operationsPerWorld && compared < total; i++ {
			w.tick()
			name, allowed := w.step()
			counts[name]++
			compared++
			if !allowed {
				denied++
			}
		}
		refusals += w.refusals
	}
	for name, n := range counts {
		t.Logf("%8d %s", n, name)
	}
	t.Logf("%8d of all were denied, %d refusals were read", denied, refusals)
	t.Logf("%d operations compared, 0 differences", compared)
	fmt.Printf("%d operations compared, 0 differences\n", compared)
}

// tick moves the clock: not at all, or to the nanosecond at which the latest refusal ends or to one beside it, or
// forward by anything up to the world's pace, or now and then back.
func (w *world) tick() {
	var by time.Duration
	switch r := w.rng.IntN(40); {
	case r < 24:
	case r < 29:
		by = w.lastRetry + time.Duration(w.rng.IntN(3)-1)
	case r < 39:
		by = time.Duration(w.rng.Int64N(int64(1) << w.rng.IntN(w.pace)))
	default:
		by = -time.Duration(w.rng.Int64N(int64(1) << w.rng.IntN(w.pace)))
	}
	w.clock.now = w.clock.now.Add(by)
	w.lastRetry = 0
	if year := w.clock.now.Year(); year > 2090 || year < 2000 {
		w.clock.now = time.Date(2026, time.November, 1, 0, 0, 0, 1, time.UTC)
	}
}

// step does one operation on both sides.
func (w *world) step() (name string, allowed bool) {
	switch r := w.rng.IntN(20); {
	case r < 5:
		return w.newOrder()
	case r < 7:
		return w.issued()
	case r < 8:
		return w.failed()
	case r < 11:
		return w.check()
	case r < 16:
		return "batch", w.spend(w.batch())
	case r < 17:
		return "new account", w.spend(w.made(w.builder.NewAccountLimitTransactions(w.address())))
	case r < 19:
		return w.refund()
	}
	return w.reset()
}

func (w *world) made(txns []ratelimits.Transaction, err error) []ratelimits.Transaction {
	w.t.Helper()
	w.must(err)
	return txns
}

func (w *world) newOrder() (string, bool) {
	account, order, renewal := w.account(), w.order(), w.rng.IntN(3) == 0
	theirs := w.made(w.builder.NewOrderLimitTransactions(account, identifiers(order), renewal))
	w.sameTransactions(account, theirs, w.limits.NewOrder(acme.OrderFacts{
		Account: accountURL(account), Names: order, Renewal: renewal,
	}))
	name := "new order"
	if renewal {
		name = "renewal"
	}
	return name, w.spend(theirs)
}

func (w *world) issued() (string, bool) {
	account, order, renewal := w.account(), w.order(), w.rng.IntN(3) == 0
	idents := identifiers(order)
	var theirs []ratelimits.Transaction
	if !renewal {
		theirs = w.made(w.builder.CertificatesPerDomainSpendOnlyTransactions(account, idents))
	}
	set, err := w.builder.CertificatesPerFQDNSetSpendOnlyTransaction(idents)
	w.must(err)
	theirs = append(theirs, set)
	w.sameTransactions(account, theirs, w.limits.Issued(acme.OrderFacts{
		Account: accountURL(account), Names: order, Renewal: renewal,
	}))
	return "issuance", w.spend(theirs)
}

func (w *world) failed() (string, bool) {
	account, idents := w.account(), identifiers(w.order())
	txn, err := w.builder.FailedAuthorizationsPerDomainPerAccountSpendOnlyTransaction(account, idents[0])
	w.must(err)
	var ours []acme.Transaction
	if own := w.limits.FailedAuthorization(accountURL(account), idents[0].Value); own.Limit.Enabled() {
		ours = append(ours, own)
	}
	w.sameTransactions(account, []ratelimits.Transaction{txn}, ours)
	return "failed authorization", w.spend([]ratelimits.Transaction{txn})
}

// batch is some transactions of the pool for different buckets, with costs.
func (w *world) batch() []ratelimits.Transaction {
	var txns []ratelimits.Transaction
	seen := map[string]bool{}
	for size := 1 + w.rng.IntN(6); size > 0 || len(txns) == 0; size-- {
		txn := w.pool[w.rng.IntN(len(w.pool))]
		own, ok := w.inside.converted(txn)
		if !ok || seen[own.Key.Value] {
			continue
		}
		seen[own.Key.Value] = true
		switch w.rng.IntN(3) {
		case 0:
			txn = w.inside.withCost(txn, w.rng.Int64N(own.Limit.Burst+1))
		case 1:
			txn = w.inside.withCost(txn, w.rng.Int64N(min(own.Limit.Burst, 3)+1))
		}
		txns = append(txns, txn)
	}
	return txns
}

// ours are a batch's transactions in certwire's words, with the state of their buckets.
func (w *world) ours(txns []ratelimits.Transaction) []acme.Ask {
	var asks []acme.Ask
	for _, txn := range txns {
		if own, ok := w.inside.converted(txn); ok {
			asks = append(asks, acme.Ask{Transaction: own, TAT: w.tats[own.Key.Value]})
		}
	}
	return asks
}

// check asks for one bucket what a spend would say.
func (w *world) check() (string, bool) {
	txns := w.batch()
	d, err := w.limiter.Check(context.Background(), txns[0])
	w.must(err)
	theirs, ask := w.inside.read(d), w.ours(txns[:1])[0]
	result := ask.Limit.Spend(w.clock.now, ask.TAT, ask.Cost)
	w.same("check", theirs, decision{result.Allowed, result.Remaining, result.RetryIn, result.ResetIn, ask.Key.Value}, txns)
	w.sameStates(txns)
	return "check", result.Allowed
}

// spend sends a batch through both and compares the answer and what they store.
func (w *world) spend(txns []ratelimits.Transaction) bool {
	d, err := w.limiter.BatchSpend(context.Background(), txns)
	w.must(err)
	theirs, asks := w.inside.read(d), w.ours(txns)
	batch := acme.Decide(w.clock.now, asks)
	for key, tat := range batch.TATs {
		w.tats[key.Value] = tat
	}
	if len(batch.Verdicts) == 0 {
		if !theirs.allowed || !batch.Allowed || theirs.bucket != "" {
			w.t.Fatalf("nothing was checked, but boulder says %+v and certwire %+v", theirs, batch)
		}
		w.sameStates(txns)
		return true
	}
	v := batch.Strictest
	ours := decision{allowed: v.Allowed, remaining: v.Remaining, retryIn: v.RetryAt.Sub(w.clock.now), bucket: v.Key.Value}
	for _, ask := range asks {
		if ask.Key == v.Key {
			ours.resetIn = ask.Limit.Spend(w.clock.now, v.TAT, ask.Cost).ResetIn
		}
	}
	w.same("spend", theirs, ours, txns)
	if batch.Allowed != v.Allowed {
		w.t.Fatalf("the batch is allowed=%t, its strictest verdict %t", batch.Allowed, v.Allowed)
	}
	w.sameStates(txns)
	if !batch.Allowed {
		w.lastRetry = theirs.retryIn
		if w.rng.IntN(50) == 0 {
			w.readRefusal(d, v)
		}
	}
	return batch.Allowed
}

// refund gives back what some transactions spent.
func (w *world) refund() (string, bool) {
	txns := w.batch()
	txn := txns[0]
	own, _ := w.inside.converted(txn)
	key := own.Key.Value
	tat, exists := w.tats[key]
	d, err := w.limiter.Refund(context.Background(), txn)
	w.must(err)
	theirs := w.inside.read(d)
	if !exists {
		if !theirs.allowed || theirs.bucket != "" {
			w.t.Fatalf("a refund to a bucket that is not there: boulder says %+v", theirs)
		}
		w.sameStates(txns[:1])
		return "refund of nothing", true
	}
	cost := own.Cost
	if !own.Spend {
		cost = 0 // what is only checked is never refunded
	}
	result := own.Limit.Refund(w.clock.now, tat, cost)
	if result.Allowed {
		w.tats[key] = tat.Add(-own.Limit.EmissionInterval() * time.Duration(cost))
	}
	// Of the one refund and "nothing refunded", boulder answers the stricter.
	w.same("refund", theirs, decision{result.Allowed, result.Remaining, result.RetryIn, result.ResetIn, key}, txns[:1])
	w.sameStates(txns[:1])
	if result.Allowed {
		if full := max(w.clock.now.UnixNano(), w.tats[key].UnixNano()); result.TAT.UnixNano() != full {
			w.t.Fatalf("a refund leaves %v, boulder's is %v", result.TAT, time.Unix(0, full))
		}
	}
	return "refund", true
}

// reset fills a bucket, as a success does with the one that counts towards a pause.
func (w *world) reset() (string, bool) {
	account, ident := w.account(), identifiers(w.order())[0]
	txns := w.made(w.builder.NewPausingResetTransactions(account, ident))
	w.must(w.limiter.BatchReset(context.Background(), txns))
	for _, ask := range w.ours(txns) {
		delete(w.tats, ask.Key.Value)
	}
	w.sameStates(txns)
	return "reset", true
}

func (w *world) same(operation string, theirs, ours decision, txns []ratelimits.Transaction) {
	w.t.Helper()
	if theirs != ours {
		w.t.Fatalf("%s at %v\nboulder  %+v\ncertwire %+v\nof %+v", operation, w.clock.now, theirs, ours, w.ours(txns))
	}
}

// sameStates compares what is stored for the buckets that an operation met.
func (w *world) sameStates(txns []ratelimits.Transaction) {
	w.t.Helper()
	var keys []string
	for _, ask := range w.ours(txns) {
		keys = append(keys, ask.Key.Value)
	}
	stored, err := w.source.BatchGet(context.Background(), keys)
	w.must(err)
	for _, key := range keys {
		theirs, exists := stored[key]
		ours, known := w.tats[key]
		if exists != known || !theirs.Equal(ours) {
			w.t.Fatalf("at %v bucket %s is %v (%t) with boulder and %v (%t) with certwire", w.clock.now, key, theirs, exists, ours, known)
		}
	}
}

// sameTransactions compares what the two make of an event: buckets, limits, costs, kinds, and their order.
func (w *world) sameTransactions(account int64, theirs []ratelimits.Transaction, ours []acme.Transaction) {
	w.t.Helper()
	var converted []acme.Transaction
	for _, txn := range theirs {
		if own, ok := w.inside.converted(txn); ok {
			own.Key = w.key(account, own.Key.Value)
			converted = append(converted, own)
		}
	}
	if len(converted) != len(ours) {
		w.t.Fatalf("boulder makes %+v\ncertwire %+v", converted, ours)
	}
	for i := range ours {
		if ours[i] != converted[i] {
			w.t.Fatalf("transaction %d\nboulder  %+v\ncertwire %+v", i, converted[i], ours[i])
		}
	}
}

// key is boulder's bucket key in certwire's words.
func (w *world) key(account int64, bucket string) acme.Key {
	w.t.Helper()
	enum, rest, _ := strings.Cut(bucket, ":")
	id := strconv.FormatInt(account, 10)
	switch enum {
	case ratelimits.NewOrdersPerAccount.EnumString():
		if rest == id {
			return acme.Key{Limit: acme.NewOrdersPerAccount, Value: accountURL(account)}
		}
	case ratelimits.FailedAuthorizationsPerDomainPerAccount.EnumString():
		if name, ok := strings.CutPrefix(rest, id+":"); ok {
			return acme.Key{Limit: acme.FailedAuthorizations, Value: accountURL(account) + " " + name}
		}
	case ratelimits.CertificatesPerDomain.EnumString():
		return acme.Key{Limit: acme.CertificatesPerDomain, Value: rest}
	case ratelimits.CertificatesPerFQDNSet.EnumString():
		return acme.Key{Limit: acme.CertificatesPerSet, Value: rest}
	}
	w.t.Fatalf("boulder's bucket key %q is of no known form", bucket)
	return acme.Key{}
}

// readRefusal reads the text that boulder's client gets, and calibrates an empty ledger with it.
func (w *world) readRefusal(d *ratelimits.Decision, v acme.Verdict) {
	w.t.Helper()
	enum, value, _ := strings.Cut(v.Key.Value, ":")
	want := acme.RateLimited{Burst: v.Limit.Burst, Period: v.Limit.Period}
	switch enum {
	case ratelimits.NewRegistrationsPerIPAddress.EnumString(), ratelimits.NewRegistrationsPerIPv6Range.EnumString():
		want.Limit = acme.NewRegistrations
	case ratelimits.NewOrdersPerAccount.EnumString():
		want.Limit = acme.NewOrdersPerAccount
	case ratelimits.FailedAuthorizationsPerDomainPerAccount.EnumString():
		want.Limit, want.Value = acme.FailedAuthorizations, value[strings.LastIndex(value, ":")+1:]
	case ratelimits.CertificatesPerDomain.EnumString():
		want.Limit, want.Value = acme.CertificatesPerDomain, value[strings.LastIndex(value, ":")+1:]
	case ratelimits.CertificatesPerFQDNSet.EnumString():
		want.Limit = acme.CertificatesPerSet
	default:
		return // boulder has no text for a pause here
	}
	text := "Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: " + d.Result(w.clock.now).Error()
	got, ok := acme.ParseRateLimited(text)
	earliest := v.RetryAt.Truncate(time.Second)
	wait := v.RetryAt.Sub(w.clock.now)
	latest := v.RetryAt.Add(wait/100*3 + wait%100)
	if !ok || got.RetryAfter.Before(earliest) || got.RetryAfter.After(latest) {
		w.t.Fatalf("%q\nis read as %+v, %t; retry after is from %v to %v", text, got, ok, earliest, latest)
	}
	read := got
	read.RetryAfter = time.Time{}
	if read != want {
		w.t.Fatalf("%q\nis read as %+v, want %+v", text, read, want)
	}
	w.refusals++
}
