package admission

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/certwire/certwire/pkg/config"
	"github.com/certwire/certwire/pkg/ledger"
	"github.com/certwire/certwire/pkg/policy"
)

// Meter is what [Guard] asks of the ledger.
type Meter interface {
	// Ready returns nil once every budget is known.
	Ready() error
	// Assess says from memory what the CA would answer to an order.
	Assess(ledger.Order) policy.Budget
	// Reserve takes an order's place in every bucket, or says which one refuses. An error means that nobody knows.
	Reserve(ctx context.Context, o ledger.Order, enforce bool) (policy.Budget, error)
	// Note takes an order's place without waiting for the API server.
	Note(ledger.Order)
}

// measure adds what the ledger knows to the facts. The second result is false for a request that no order can follow
// from, or whose CA has no known limits. While the budgets are still being read, only an Order that they could refuse has to
// wait: that is the error.
func (h *Guard) measure(ctx context.Context, r *request[jsontext.Value], facts *policy.Request, settings *config.Settings, enforced bool) (ledger.Order, bool, error) {
	order, ok := h.order(facts, settings)
	if !ok {
		return order, false, nil
	}
	if err := h.Meter.Ready(); err != nil {
		if facts.Object.Kind == policy.Certificate || !enforced || order.Due || order.ARI {
			err = nil
		}
		return order, false, err
	}
	facts.Budget = h.Meter.Assess(order)
	if facts.Object.Kind == policy.Certificate && facts.Budget.Known {
		facts.Orders = h.wouldOrder(ctx, r, facts)
	}
	return order, facts.Budget.Known, nil
}

// order is the order that a request leads to; false when it leads to none, or the limits of its CA are not known.
func (h *Guard) order(facts *policy.Request, settings *config.Settings) (ledger.Order, bool) {
	o := facts.Object
	orders := o.Kind == policy.Certificate || o.Kind == policy.Order && facts.Create
	if h.Meter == nil || !orders || !facts.Relevant || o.Deleting || !facts.Issuer.ACME {
		return ledger.Order{}, false
	}
	service, known := settings.Directories.Service("https://" + facts.Issuer.Directory.Host)
	if !known {
		return ledger.Order{}, false
	}
	order := ledger.Order{
		UID: o.UID, Namespace: facts.Namespace, Certificate: o.Name, Service: service, Account: facts.Issuer.Account,
	}
	if order.UID == "" {
		order.UID = string(o.Kind) + "/" + facts.Namespace + "/" + o.Name
	}
	if o.Kind == policy.Order {
		order.Name, order.Certificate = o.Name, o.Annotations[policy.CertificateNameKey]
		now := h.Now()
		order.Due = h.Issuance.DueRenewal(facts.Namespace, policy.Renewal{
			Certificate: order.Certificate, Issuer: *o.Issuer, Directory: facts.Issuer.Directory, Names: o.Identifiers(),
		}, settings.Directories, now)
		order.ARI = o.Replaces() != "" && h.Issuance.RenewalWindowOpen(facts.Namespace, order.Certificate, now)
	}
	return ledger.NewOrder(order, o.Identifiers()), true
}

// reserve takes the place of an order that is let through. When the freshest state of the ledger has no token for it any
// more, its facts say so and the rules have to be asked again.
func (h *Guard) reserve(ctx context.Context, order ledger.Order, facts *policy.Request, enforce bool) (again bool, err error) {
	writing, cancel := lookupContext(ctx)
	defer cancel()
	fresh, err := h.Meter.Reserve(writing, order, enforce)
	if err != nil {
		return false, err
	}
	if fresh.Known && !fresh.Allowed {
		facts.Budget = fresh
		return true, nil
	}
	return false, nil
}
