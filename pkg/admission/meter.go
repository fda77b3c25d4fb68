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
	o := facts.Object
	certificate := o.Kind == policy.Certificate
	if h.Meter == nil || !facts.Relevant || o.Deleting || !facts.Issuer.ACME || !certificate && (o.Kind != policy.Order || !facts.Create) {
		return ledger.Order{}, false, nil
	}
	service, known := settings.Directories.Service("https://" + facts.Issuer.Directory.Host)
	if !known {
		return ledger.Order{}, false, nil
	}
	name := o.Annotations[policy.CertificateNameKey]
	if certificate {
		name = o.Name
	}
	order := ledger.NewOrder(ledger.Order{
		UID: o.UID, Namespace: facts.Namespace, Certificate: name, Service: service, Account: facts.Issuer.Account,
	}, o.Identifiers())
	if order.UID == "" {
		order.UID = string(o.Kind) + "/" + facts.Namespace + "/" + o.Name
	}
	if !certificate {
		order.Name = o.Name
		now := h.Now()
		order.Due = h.Issuance.DueRenewal(facts.Namespace, policy.Renewal{
			Certificate: name, Issuer: *o.Issuer, Directory: facts.Issuer.Directory, Names: o.Identifiers(),
		}, settings.Directories, now)
		order.ARI = o.Replaces() != "" && h.Issuance.RenewalWindowOpen(facts.Namespace, name, now)
	}
	if err := h.Meter.Ready(); err != nil {
		if certificate || !enforced || order.Due || order.ARI {
			err = nil
		}
		return order, false, err
	}
	facts.Budget = h.Meter.Assess(order)
	if certificate && facts.Budget.Known {
		facts.Orders = h.wouldOrder(ctx, r, facts)
	}
	return order, facts.Budget.Known, nil
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
