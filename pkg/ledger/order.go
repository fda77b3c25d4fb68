package ledger

import (
	"slices"
	"time"

	"github.com/certwire/certwire/pkg/acme"
)

// Order is one order at a CA, as far as counting needs it. Build it with [NewOrder].
type Order struct {
	// UID is the Order object's; empty for one that does not exist yet.
	UID string
	// Name is the Order object's; empty when it is not known. cert-manager derives it from the request, so an order that
	// is tried again has it again, with another UID.
	Name string
	// Namespace and Certificate say who orders; Certificate is empty for requests that no Certificate made.
	Namespace, Certificate string
	// Service is the CA's directory with its limits.
	Service acme.Service
	// Account is the account's URL; empty when it is not known, and then nothing is counted by account.
	Account string
	// Names are the normalised identifiers, Set their key, Domains the registered domains that cover them, sorted.
	Names   []string
	Set     string
	Domains []string
	// Created is when the Order was created.
	Created time.Time
	// Due is true when it renews, at its time, a certificate that is in use.
	Due bool
	// ARI is true when the CA asked for it, and it comes within the window that the CA named.
	ARI bool
}

// maxNames is how many names an order can have: a CA refuses one with more before it asks any limit (boulder,
// ratelimits/transaction.go).
const maxNames = 100

// maxName is the longest that a DNS name, and the name of a Kubernetes object, can be.
const maxName = 253

// NewOrder fills in what follows from the names. What comes from annotations is not believed to be a name: a Certificate's
// that cannot be one counts as none.
func NewOrder(o Order, names []string) Order {
	if len(o.Certificate) > maxName {
		o.Certificate = ""
	}
	if len(names) > maxNames {
		return o
	}
	o.Names = acme.NormalizeIdentifiers(names)
	o.Set = acme.SetKey(o.Names)
	o.Domains = acme.CoveringDomains(o.Names)
	return o
}

// metered is false for an order that nothing is known of: no limits, or no names that a CA could take.
func (o *Order) metered() bool {
	return len(o.Domains) > 0 && o.Service.Host != "" &&
		!slices.ContainsFunc(o.Names, func(name string) bool { return len(name) > maxName })
}

// key stands for the object's name; the zero key when that is not known.
func (o *Order) key() (k uidKey) {
	if o.Name != "" {
		k = keyOfUID(o.Namespace + "/" + o.Name)
	}
	return k
}

// home is the registered domain whose budget holds the bucket of the order's set of names: the first one.
func (o *Order) home() string { return o.Domains[0] }

func (o *Order) facts(renewal bool) acme.OrderFacts {
	return acme.OrderFacts{Account: o.Account, Names: o.Names, Renewal: renewal, ARI: o.ARI}
}

// consumer is how people know who orders.
func (o *Order) consumer() string {
	if o.Certificate == "" {
		return o.Namespace + "/(no Certificate)"
	}
	return o.Namespace + "/" + o.Certificate
}
