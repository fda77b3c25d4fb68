package acme

import "fmt"

// LimitName names one of the limits that a CA holds an order against.
type LimitName string

// The limits, with what their buckets are kept by. Source: boulder, ratelimits/names.go.
const (
	// NewOrdersPerAccount is kept by account URL.
	NewOrdersPerAccount LimitName = "new-orders"
	// FailedAuthorizations is kept by account URL, a space, and the identifier.
	FailedAuthorizations LimitName = "failed-authorizations"
	// CertificatesPerDomain is kept by registered domain or IP prefix, whoever orders.
	CertificatesPerDomain LimitName = "certificates-per-domain"
	// CertificatesPerSet is kept by [SetKey], whoever orders.
	CertificatesPerSet LimitName = "certificates-per-set"
	// NewRegistrations counts new accounts of an IP address. No order spends it: it is here for what a CA says.
	NewRegistrations LimitName = "new-registrations"
)

// Key names one bucket of one CA.
type Key struct {
	Limit LimitName
	// Value is what the limit's buckets are kept by, see the limits' names.
	Value string
}

// Limits are the limits of one CA. A zero [Limit] is none.
type Limits struct {
	NewOrders, FailedAuthorizations, CertificatesPerDomain, CertificatesPerSet Limit
}

// Of returns the limit of that name, the zero Limit for a name that has none here.
func (l Limits) Of(name LimitName) Limit {
	switch name {
	case NewOrdersPerAccount:
		return l.NewOrders
	case FailedAuthorizations:
		return l.FailedAuthorizations
	case CertificatesPerDomain:
		return l.CertificatesPerDomain
	case CertificatesPerSet:
		return l.CertificatesPerSet
	case NewRegistrations:
	}
	return Limit{}
}

// validate refuses a limit that has some of its fields but is none. A nil receiver is no limits.
func (l *Limits) validate() error {
	if l == nil {
		return nil
	}
	for _, name := range []LimitName{NewOrdersPerAccount, FailedAuthorizations, CertificatesPerDomain, CertificatesPerSet} {
		if limit := l.Of(name); limit != (Limit{}) {
			if err := limit.Validate(); err != nil {
				return fmt.Errorf("limit %s: %w", name, err)
			}
		}
	}
	return nil
}

// OrderFacts are what a CA's limits look at in an order.
type OrderFacts struct {
	// Account is the URL of the ACME account. Empty if it is not known: then the account's own buckets are left out.
	Account string
	// Names are the identifiers, see [NormalizeIdentifiers].
	Names []string
	// Renewal says that the same set of names was issued before, within [Service.RenewalExemption].
	Renewal bool
	// ARI says that the order names the certificate it replaces, and that this certificate's renewal window (see
	// [ARIWindow]) is open: RFC 9773, section 5.
	ARI bool
}

// Transaction is what one event does to one bucket.
type Transaction struct {
	Key   Key
	Limit Limit
	// Cost is in tokens.
	Cost int64
	// Check says that the tokens must be there, Spend that they are taken. Spend alone never denies, and takes nothing
	// from a bucket that has too little.
	Check, Spend bool
}

// NewOrder returns what placing an order does, in the CA's order of evaluation. Limits that are not enabled are left
// out. An order within its ARI window meets no limit at all; another renewal is held against failed authorizations and
// the set of names alone. What is only checked here is spent by [Limits.Issued] and [Limits.FailedAuthorization].
//
// Source: boulder, ratelimits/transaction.go (NewOrderLimitTransactions), and wfe2/wfe.go (NewOrder) for ARI.
func (l Limits) NewOrder(o OrderFacts) []Transaction {
	if o.ARI {
		return nil
	}
	names := NormalizeIdentifiers(o.Names)
	txns := make([]Transaction, 0, 2*len(names)+2)
	if !o.Renewal && o.Account != "" {
		txns = l.add(txns, NewOrdersPerAccount, o.Account, true, true)
	}
	if o.Account != "" && l.FailedAuthorizations.Enabled() {
		for _, name := range names {
			txns = l.add(txns, FailedAuthorizations, o.Account+" "+name, true, false)
		}
	}
	if !o.Renewal && l.CertificatesPerDomain.Enabled() {
		for _, domain := range CoveringDomains(names) {
			txns = l.add(txns, CertificatesPerDomain, domain, true, false)
		}
	}
	if l.CertificatesPerSet.Enabled() {
		txns = l.add(txns, CertificatesPerSet, setKey(names), true, false)
	}
	return txns
}

// Issued returns what the issuance of a certificate does. It spends the set of names always, with ARI too, and the
// registered domains unless the set was issued before. Source: boulder, ra/ra.go (countCertificateIssued).
func (l Limits) Issued(o OrderFacts) []Transaction {
	names := NormalizeIdentifiers(o.Names)
	txns := make([]Transaction, 0, len(names)+1)
	if !o.Renewal && l.CertificatesPerDomain.Enabled() {
		for _, domain := range CoveringDomains(names) {
			txns = l.add(txns, CertificatesPerDomain, domain, false, true)
		}
	}
	if l.CertificatesPerSet.Enabled() {
		txns = l.add(txns, CertificatesPerSet, setKey(names), false, true)
	}
	return txns
}

// FailedAuthorization returns what one failed validation of an identifier does. Its Limit is the zero Limit where the
// CA has none. Source: boulder, ratelimits/transaction.go (FailedAuthorizationsPerDomainPerAccountSpendOnlyTransaction).
func (l Limits) FailedAuthorization(account, identifier string) Transaction {
	name := identifier
	if normalized := NormalizeIdentifiers([]string{identifier}); len(normalized) == 1 {
		name = normalized[0]
	}
	return Transaction{
		Key:   Key{Limit: FailedAuthorizations, Value: account + " " + name},
		Limit: l.FailedAuthorizations, Cost: 1, Spend: true,
	}
}

func (l Limits) add(txns []Transaction, name LimitName, value string, check, spend bool) []Transaction {
	limit := l.Of(name)
	if !limit.Enabled() {
		return txns
	}
	return append(txns, Transaction{Key: Key{Limit: name, Value: value}, Limit: limit, Cost: 1, Check: check, Spend: spend})
}
