package policy

import (
	"time"

	"github.com/certwire/certwire/pkg/acme"
)

// Budget is what the ledger says of the order that a request would lead to. It depends on the ledger's state and, but
// for Left, on nothing that changes by itself while an order is refused.
type Budget struct {
	// Known is false when the CA's limits are not known: nothing is metered then.
	Known bool
	// Allowed is true when every bucket that counts has a token left.
	Allowed bool
	// CA is the directory.
	CA acme.Directory
	// Bucket is the bucket that refuses or, of those that allow, the fullest.
	Bucket Bucket
	// Consumers are those who used it most, the greatest first.
	Consumers []Consumer
	// Churn says whether the one who asks is about to use the bucket up by itself.
	Churn Churn
}

// Bucket is one of a CA's limits as it stands.
type Bucket struct {
	Limit acme.LimitName
	// Of is what it is for: the domain, the names, the account or the identifier.
	Of string
	// Used is how much is not there now, Count how much there is in a full bucket, Period how long that takes.
	Used, Count int64
	Period      time.Duration
	// InFlight is how much of the rest belongs to orders that are not finished, Reserve how much is kept for renewals.
	InFlight, Reserve int64
	// Next is when the order will be possible.
	Next time.Time
}

// Left is how many more orders the bucket would let through.
func (b Bucket) Left() int64 { return max(0, b.Count-b.Used-b.InFlight-b.Reserve) }

// Consumer is who used a bucket.
type Consumer struct {
	// Name is namespace/Certificate.
	Name   string
	Orders int
}

// Churn is how often one Certificate, told by namespace and name, was issued again before it was due.
type Churn struct {
	// Orders is how many orders were counted for it in the bucket's period, Gap the mean time between them.
	Orders int
	Gap    time.Duration
	// Empties is when the bucket would be empty if it went on like that; zero when it would not within a day.
	Empties time.Time
}

// Likelihood says whether a Certificate that is applied leads to an order.
type Likelihood string

// The likelihoods. An Order is an order already.
const (
	OrderCertain   Likelihood = "certain"
	OrderUncertain Likelihood = "uncertain"
	OrderNone      Likelihood = "none"
)
