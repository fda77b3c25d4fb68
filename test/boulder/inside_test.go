package boulder

import (
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/letsencrypt/boulder/ratelimits"

	"github.com/certwire/certwire/pkg/acme"
)

// decision is what boulder's Decision says.
type decision struct {
	allowed          bool
	remaining        int64
	retryIn, resetIn time.Duration
	bucket           string
}

// inside knows where boulder keeps what it does not export.
type inside struct {
	allowed, remaining, retryIn, resetIn, transaction int
	bucketKey, limit, cost, check, spend, reset       int
}

func newInside(t *testing.T) inside {
	t.Helper()
	field := func(v any, name string) int {
		f, ok := reflect.TypeOf(v).FieldByName(name)
		if !ok {
			t.Fatalf("boulder's %T has no field %s any more", v, name)
		}
		return f.Index[0]
	}
	d, txn := ratelimits.Decision{}, ratelimits.Transaction{}
	return inside{
		allowed: field(d, "allowed"), remaining: field(d, "remaining"), retryIn: field(d, "retryIn"),
		resetIn: field(d, "resetIn"), transaction: field(d, "transaction"),
		bucketKey: field(txn, "bucketKey"), limit: field(txn, "limit"), cost: field(txn, "cost"),
		check: field(txn, "check"), spend: field(txn, "spend"), reset: field(txn, "reset"),
	}
}

// read reads a Decision.
func (in inside) read(d *ratelimits.Decision) decision {
	v := reflect.ValueOf(d).Elem()
	return decision{
		allowed:   v.Field(in.allowed).Bool(),
		remaining: v.Field(in.remaining).Int(),
		retryIn:   time.Duration(v.Field(in.retryIn).Int()),
		resetIn:   time.Duration(v.Field(in.resetIn).Int()),
		bucket:    v.Field(in.transaction).Field(in.bucketKey).String(),
	}
}

// converted says the same in certwire's words, with boulder's bucket key for a key. It is false for a transaction of a
// limit that is disabled.
func (in inside) converted(txn ratelimits.Transaction) (acme.Transaction, bool) {
	v := reflect.ValueOf(txn)
	limit := v.Field(in.limit)
	if limit.IsNil() {
		return acme.Transaction{}, false
	}
	limit = limit.Elem()
	return acme.Transaction{
		Key: acme.Key{Value: v.Field(in.bucketKey).String()},
		Limit: acme.Limit{
			Count:  limit.FieldByName("Count").Int(),
			Burst:  limit.FieldByName("Burst").Int(),
			Period: time.Duration(limit.FieldByName("Period").FieldByName("Duration").Int()),
		},
		Cost:  v.Field(in.cost).Int(),
		Check: v.Field(in.check).Bool(),
		Spend: v.Field(in.spend).Bool(),
	}, true
}

// withCost returns the transaction at another cost. It must be from 0 to the limit's burst: boulder panics otherwise.
func (in inside) withCost(txn ratelimits.Transaction, cost int64) ratelimits.Transaction {
	field := reflect.ValueOf(&txn).Elem().Field(in.cost)
	reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().SetInt(cost)
	return txn
}
