package admission

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/config"
	"github.com/certwire/certwire/pkg/ledger"
	"github.com/certwire/certwire/pkg/policy"
)

// Issuance is what [Guard] asks of the inventory. All but NamespaceLabels answer from memory.
type Issuance interface {
	Surroundings
	// Ready returns nil once the answers are complete.
	Ready() error
	// NamespaceLabels returns a namespace's labels, which are not changed; an error means that nobody knows.
	NamespaceLabels(ctx context.Context, namespace string) (map[string]string, error)
	// Issuer returns what is known of the issuer that an object of the namespace refers to.
	Issuer(namespace string, ref policy.IssuerRef, directories acme.Directories) policy.Issuer
	// StagingIssuer returns an issuer with a staging directory in reach of the namespace, rather of the given CA.
	StagingIssuer(namespace, ca string, directories acme.Directories) *policy.Issuer
	// DueRenewal reports whether an Order renews, at its time, what the same CA issued before.
	DueRenewal(namespace string, order policy.Renewal, directories acme.Directories, now time.Time) bool
	// RenewalWindowOpen reports whether the CA wants a Certificate's certificate renewed now (ARI).
	RenewalWindowOpen(namespace, certificate string, now time.Time) bool
	// Creations returns, oldest first, whether the latest Certificates that were created for a Secret went on to order.
	Creations(namespace, secret string, now time.Time) []bool
	// NamespaceCreated returns when a namespace was created; the zero time when that is not known.
	NamespaceCreated(name string) time.Time
	// NamespacesUsing returns the namespaces with Certificates from an issuer, sorted.
	NamespacesUsing(issuer policy.IssuerRef) []string
}

// Permissions tells whether a requester may break the glass.
type Permissions interface {
	// MayBreakGlass asks for the verb break-glass on rules.certwire.dev of this name in the namespace.
	MayBreakGlass(ctx context.Context, who Requester, namespace string, rule policy.RuleName) (bool, error)
}

// Requester is who sent a request, as the API server authenticated them.
type Requester struct {
	Username, UID string
	Groups        []string
	Extra         map[string][]string
}

// Guard is the validating hook: it asks the rules of policy. Which way it fails depends on Closed.
type Guard struct {
	Issuance    Issuance
	Permissions Permissions
	// Meter is the ledger. Optional: without it, nothing is metered.
	Meter Meter
	// Secrets and Requests make the answer to "would it order?" exact. Optional.
	Secrets  Secrets
	Requests Requests
	Rules    *policy.Set
	// Settings returns the configuration in force.
	Settings func() *config.Settings
	Recorder Recorder
	// Now is the clock. It decides whether a renewal is due and which lifetime a CA's certificates have, and nothing that
	// an Order's refusal says.
	Now func() time.Time
	// Closed makes a review that cannot be decided a refusal. True for Orders alone: every order passes there, and
	// cert-manager tries again by itself. People's requests fail open.
	Closed bool
}

// Name implements [Reviewer].
func (h *Guard) Name() string {
	if h.Closed {
		return "orders"
	}
	return "guard"
}

// Review implements [Reviewer].
func (h *Guard) Review(ctx context.Context, body []byte) (Response, error) {
	r, err := decode[jsontext.Value](body)
	if err != nil {
		return Response{}, at(StageDecode, err)
	}
	kind, known := policy.KindOf(r.Kind.Group, r.Kind.Kind)
	if !known || r.SubResource != "" || (r.Operation != "CREATE" && r.Operation != "UPDATE") {
		return allowed(r.UID, nil), nil
	}
	if err := h.Issuance.Ready(); err != nil {
		return Response{}, at(StageCache, err)
	}
	facts, err := parse(kind, r)
	if err != nil {
		return Response{}, at(StageDecode, err)
	}
	var labels map[string]string
	if r.Namespace != "" {
		if labels, err = h.Issuance.NamespaceLabels(ctx, r.Namespace); err != nil {
			return Response{}, at(StageLookup, err)
		}
	}
	settings := h.Settings()
	h.gather(&facts, labels, settings)
	mode := func(rule policy.RuleName) policy.Mode { return settings.Modes.For(rule, labels) }
	order, metered, err := h.measure(ctx, r, &facts, settings, h.enforces(mode))
	if err != nil {
		return Response{}, at(StageCache, err)
	}
	decision, err := h.settle(ctx, r, &facts, order, metered, mode)
	if err != nil {
		return Response{}, at(StageLookup, err)
	}
	return h.answer(r, facts, decision, mode), nil
}

// settle decides and, for an Order that is let through, takes its place in the budgets. When the freshest state of the
// ledger has no token for it any more, the rules are asked again. An order that is let through whatever the budget says
// does not wait for an API server that takes no place for it: the place is noted, and stored later.
func (h *Guard) settle(ctx context.Context, r *request[jsontext.Value], facts *policy.Request, order ledger.Order, metered bool,
	mode func(policy.RuleName) policy.Mode,
) (policy.Decision, error) {
	decision := h.decide(ctx, r, *facts, mode)
	if !metered || facts.Object.Kind != policy.Order || decision.Verdict == policy.Deny || r.DryRun {
		return decision, nil
	}
	enforce := h.enforces(mode) && decision.Reason != policy.ReasonBreakGlass
	again, err := h.reserve(ctx, order, facts, enforce)
	if err != nil && (!enforce || order.Due || order.ARI) {
		h.Recorder.Failure(h.Name(), StageLookup)
		h.Meter.Note(order)
		return decision, nil
	}
	if err != nil || !again {
		return decision, err
	}
	return h.decide(ctx, r, *facts, mode), nil
}

// decide asks the rules and, where they refuse, whether the glass may be broken.
func (h *Guard) decide(ctx context.Context, r *request[jsontext.Value], facts policy.Request, mode func(policy.RuleName) policy.Mode) policy.Decision {
	decision := h.Rules.Decide(facts, mode)
	if decision.Verdict == policy.Deny && facts.Object.Annotations[policy.BreakGlassKey] != "" {
		lookup, cancel := lookupContext(ctx)
		defer cancel()
		decision = h.breakGlass(lookup, r, facts, decision)
	}
	return decision
}

// enforces is true where the rule about budgets refuses.
func (h *Guard) enforces(mode func(policy.RuleName) policy.Mode) bool {
	return mode(policy.BudgetRule) == policy.ModeDeny
}

// parse reads the objects of a request. An update's old object that cannot be read counts as different.
func parse(kind policy.Kind, r *request[jsontext.Value]) (policy.Request, error) {
	object, err := policy.Parse(kind, r.Object)
	if err != nil {
		return policy.Request{}, err
	}
	if object.Name == "" {
		object.Name = r.Name
	}
	facts := policy.Request{Object: object, Namespace: r.Namespace, Relevant: true, Create: r.Operation == "CREATE"}
	if r.Operation == "UPDATE" {
		if old, err := policy.Parse(kind, r.OldObject); err == nil {
			facts.Old, facts.Relevant = &old, policy.Relevant(&old, object)
		}
	}
	return facts, nil
}

func (h *Guard) answer(r *request[jsontext.Value], facts policy.Request, d policy.Decision, mode func(policy.RuleName) policy.Mode) Response {
	h.Recorder.Decision(h.Name(), string(d.Verdict), string(d.Reason), r.Operation, r.DryRun)
	if d.Rule != "" {
		h.Recorder.Rule(string(d.Rule), string(mode(d.Rule)), string(d.Verdict))
	}
	if d.Rule == "" {
		return allowed(r.UID, nil)
	}
	audit := map[string]string{"decision": string(d.Verdict), "rule": string(d.Rule), "reason": string(d.Reason)}
	if d.Reason == policy.ReasonBreakGlass {
		audit["break-glass"] = oneLine(facts.Object.Annotations[policy.BreakGlassKey], maxWarning)
		audit["break-glass-by"] = oneLine(r.UserInfo.Username, maxWarning)
	}
	if d.Verdict == policy.Deny {
		return denied(r.UID, d.Message, audit)
	}
	return allowed(r.UID, audit, d.Warnings...)
}

// Failed implements [Reviewer]: closed for Orders, open for the rest. The text of a refusal never changes, because
// cert-manager copies it into a condition and tries again at once when it did.
func (h *Guard) Failed(uid string, cause error) Response {
	stage := stageOf(cause)
	audit := map[string]string{"error": string(stage)}
	if h.Closed {
		return denied(uid, "certwire could not decide about this Order ("+string(stage)+
			"); nothing has been ordered, and cert-manager tries again by itself within minutes", audit)
	}
	return allowed(uid, audit, "certwire could not check this request ("+string(stage)+"); it is decided at the Order")
}
