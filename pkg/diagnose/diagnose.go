package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certwire/certwire/pkg/policy"
)

// Diagnosis is what is in the way of an issuance. The zero Diagnosis is for one that nothing is in the way of.
type Diagnosis struct {
	Cause Cause
	// Message says what is in the way, and Next what a person can do: one line each, the same as long as the facts mean the
	// same.
	Message, Next string
	// Until is when it is tried again; zero where that is not known.
	Until time.Time
}

// Text is message and next action in one line of at most 1024 bytes.
func (d Diagnosis) Text() string {
	if d.Cause == "" || d.Next == "" {
		return d.Message
	}
	next := "; " + clip(d.Next, maxMessage/2)
	return clip(sentence(d.Message), maxMessage-len(next)) + next
}

// finding is a diagnosis and since when it holds.
type finding struct {
	Diagnosis
	since time.Time
}

// Diagnose says what is in the way. The time is when to ask again although no fact has changed, since a grace or a wait ends
// then; zero for never.
func Diagnose(f Facts) (Diagnosis, time.Time) {
	found, ok := find(f)
	if !ok {
		return Diagnosis{}, time.Time{}
	}
	info, _ := About(found.Cause)
	if due := found.since.Add(info.Grace); due.After(f.Now) {
		return Diagnosis{}, due
	}
	d := found.Diagnosis
	d.Message, d.Next = clean(d.Message, maxMessage), clean(d.Next, maxMessage)
	d.Until = d.Until.Truncate(time.Second).UTC()
	if !d.Until.After(f.Now) {
		d.Until = time.Time{}
	}
	return d, d.Until
}

// find goes from what decides most to what decides least.
func find(f Facts) (finding, bool) {
	c := f.Certificate
	if c.Deleting || !f.wanting() {
		return finding{}, false
	}
	for _, look := range []func(Facts) (finding, bool){sharing, failed, issuer, request, noSolver, challenges, stalled} {
		if found, ok := look(f); ok {
			return found, true
		}
	}
	return finding{}, false
}

// wanting reports whether a certificate is to be issued: there is none, its renewal is due or under way, or the last
// attempt has failed.
func (f Facts) wanting() bool {
	c := f.Certificate
	return !c.Ready.True || c.Issuing.True || !c.Failed.IsZero() || (!c.Renewal.IsZero() && !c.Renewal.After(f.Now))
}

func (c Certificate) at(name string) string { return c.Namespace + "/" + clip(name, maxName) }

// sharing is for a Certificate whose Secret is another one's (cert-manager,
// internal/controller/certificates/certificates.go, CertificateOwnsSecret): the one that the Secret says it is for, or else
// the oldest.
func sharing(f Facts) (finding, bool) {
	c := f.Certificate
	if c.Issuing.True || len(f.Sharing) == 0 || f.Hidden.Certificates {
		return finding{}, false
	}
	first := slices.MinFunc(f.Sharing, func(a, b Sibling) int {
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.Name, b.Name))
	})
	owner := ""
	if first.Created.Before(c.Created) || (first.Created.Equal(c.Created) && first.Name < c.Name) {
		owner = first.Name
	}
	for _, s := range f.Sharing { // the condition tells what the Secret says (policies/checks.go)
		if strings.Contains(c.Ready.Message, fmt.Sprintf("Secret was issued for %q", s.Name)) {
			owner = s.Name
		}
	}
	if owner == "" {
		return finding{}, false
	}
	return finding{Diagnosis{
		Cause:   DuplicateSecret,
		Message: fmt.Sprintf("Secret %s belongs to Certificate %s, which names it, too; cert-manager issues for one of them alone", c.at(c.Secret), clip(owner, maxName)),
		Next:    "give each of them its own spec.secretName, or delete one",
	}, later(c.Created, c.Ready.Since)}, true
}

func issuer(f Facts) (finding, bool) {
	c, i := f.Certificate, f.Issuer
	if f.Hidden.Issuer || i.Ref.External() || (f.Request != nil && f.Request.Granted) {
		return finding{}, false
	}
	name := i.Ref.String()
	if i.Ref.Kind == string(policy.IssuerKind) {
		name = i.Ref.Kind + " " + c.at(i.Ref.Name)
	}
	switch {
	case !i.Found:
		return finding{Diagnosis{
			Cause: IssuerMissing, Message: name + " does not exist",
			Next: "create it, or correct spec.issuerRef of the Certificate",
		}, f.begun()}, true
	case !i.Ready:
		said := strings.TrimPrefix(i.Reason+": "+i.Message, ": ")
		if i.Reason == "" && i.Message == "" {
			said = "cert-manager has not looked at it yet"
		}
		return finding{Diagnosis{
			Cause: IssuerNotReady, Message: with(name+" is not ready", said),
			Next: fmt.Sprintf("kubectl describe %s %s", strings.ToLower(i.Ref.Kind), clip(i.Ref.Name, maxName)),
		}, later(f.begun(), i.Since)}, true
	}
	return finding{}, false
}

// begun is when the issuance that is under way began.
func (f Facts) begun() time.Time {
	c := f.Certificate
	at := later(c.Created, c.Issuing.Since)
	if !c.Issuing.True {
		at = later(at, c.Ready.Since)
		if !c.Renewal.After(f.Now) {
			at = later(at, c.Renewal)
		}
	}
	return at
}

// current is the request, unless it is what is left of an attempt before this one (cert-manager,
// certificates/issuing/issuing_controller.go).
func (f Facts) current() *Request {
	r, c := f.Request, f.Certificate
	if r != nil && c.Issuing.True && !r.Failed.IsZero() && r.Failed.Before(c.Issuing.Since) {
		return nil
	}
	return r
}

func request(f Facts) (finding, bool) {
	r := f.current()
	if r == nil || r.Granted {
		return finding{}, false
	}
	name := f.Certificate.at(r.Name)
	switch {
	case r.Refusal != "":
		d := Diagnosis{Cause: RefusedByCertwire, Message: "certwire has refused the Order of CertificateRequest " + name + ": " + r.Refusal, Until: untilIn(r.Refusal)}
		switch {
		case strings.HasPrefix(r.Refusal, Unreachable):
			d.Message = "the API server could not ask certwire about the Order of CertificateRequest " + name + ": " + r.Refusal
			d.Next = "see why certwire does not answer: kubectl certwire doctor"
		case policy.RefusedForBudget(r.Refusal):
			d.Next = "see kubectl certwire budget"
		default:
			d.Next = "see the rule that refused it"
		}
		return finding{d, r.Created}, true
	case !r.Approved.True:
		return finding{Diagnosis{
			Cause: RequestNotApproved, Message: "CertificateRequest " + name + " has not been approved",
			Next: "approve it (cmctl approve " + clip(r.Name, maxName) + " -n " + f.Certificate.Namespace + "), or see the policies of the approver",
		}, r.Created}, true
	}
	return finding{}, false
}

// noSolver is for an Order that cert-manager leaves alone (acmeorders/sync.go: an Event, and no error). It has asked for
// nothing until it has asked for everything, so one name without a solver is enough.
func noSolver(f Facts) (finding, bool) {
	o := f.Order
	if o == nil || f.current() == nil || acmeIsFinal(o.State) || !o.Known || len(f.Challenges) > 0 || f.Hidden.Challenges || f.Hidden.Issuer || !f.Issuer.ACME {
		return finding{}, false
	}
	for _, name := range o.Names {
		if _, ok := policy.PickSolver(f.Issuer.Solvers, name, o.Labels); !ok {
			return finding{Diagnosis{
				Cause: OrderNoSolver,
				Message: fmt.Sprintf("Order %s is left pending: no solver of %s can prove %s: %s",
					f.Certificate.at(o.Name), f.Issuer.Ref, clip(name, maxName), policy.WhyNoSolver(f.Issuer.Solvers, name)),
				Next: "add such a solver to the issuer, or take the name out of the Certificate",
			}, o.Created}, true
		}
	}
	if o.Overrides > 1 {
		return finding{Diagnosis{
			Cause:   OrderNoSolver,
			Message: fmt.Sprintf("Order %s is left pending: it has %d annotations that each say what the solver's Ingress is to be", f.Certificate.at(o.Name), o.Overrides),
			Next:    "leave one of acme.cert-manager.io/http01-override-* on the Certificate",
		}, o.Created}, true
	}
	return finding{}, false
}

// stalled is for what should go on by itself and does not.
func stalled(f Facts) (finding, bool) {
	c, r := f.Certificate, f.current()
	d := Diagnosis{Cause: NoProgress, Next: "see whether cert-manager runs, and its log for that name"}
	if r == nil {
		return stalledBefore(f, d)
	}
	if ref := f.Issuer.Ref; ref.External() {
		d.Next = fmt.Sprintf("see the controller that serves %s %s of %s", ref.Kind, clip(ref.Name, maxName), clip(ref.Group, maxName))
	}
	since := later(r.Created, r.Ready.Since)
	switch {
	case r.Granted:
		d.Message = fmt.Sprintf("CertificateRequest %s is granted, and its certificate is not in Secret %s", c.at(r.Name), c.at(c.Secret))
	case f.Order != nil:
		return stalledOrder(f, d)
	case f.Hidden.Orders && f.Issuer.ACME:
		return finding{}, false
	default:
		d.Message = with("CertificateRequest "+c.at(r.Name)+" is pending", r.Ready.Message)
	}
	return finding{d, since}, true
}

// stalledBefore is for an issuance without a request.
func stalledBefore(f Facts, d Diagnosis) (finding, bool) {
	c, name := f.Certificate, f.Certificate.at(f.Certificate.Name)
	since := f.begun()
	switch {
	case f.Hidden.Requests || f.Request != nil:
		return finding{}, false // nobody knows, or it is being removed
	case !c.Issuing.True && c.Ready.True && c.Failed.IsZero():
		d.Message = fmt.Sprintf("the renewal of Certificate %s was due at %s, and cert-manager has not begun it", name, policy.ToTheMinute(c.Renewal))
	case !c.Issuing.True:
		d.Message = with("cert-manager has not begun to issue Certificate "+name, c.Ready.Message)
		since = later(since, f.retry())
	case !c.Key:
		d.Message = "cert-manager has not made a private key for Certificate " + name
	default:
		d.Message = "cert-manager has not made a CertificateRequest for Certificate " + name
		d.Next = "kubectl describe the Certificate: an Event may say what refuses it"
	}
	return finding{d, since}, true
}

func stalledOrder(f Facts, d Diagnosis) (finding, bool) {
	c, o := f.Certificate, f.Order
	since := o.Created
	state := string(o.State)
	switch {
	case f.Hidden.Challenges && !acmeIsFinal(o.State):
		return finding{}, false
	case len(f.Challenges) > 0:
		one := f.Challenges[0]
		for _, ch := range f.Challenges {
			since = later(since, later(ch.Created, ch.PresentedAt))
		}
		d.Message = with(fmt.Sprintf("Challenge %s for %s does not come to an end", c.at(one.Name), clip(one.Identifier, maxName)), one.Reason)
	case !o.Placed:
		d.Message = with("Order "+c.at(o.Name)+" has not reached the CA", o.Reason)
	case state == "":
		d.Message = "Order " + c.at(o.Name) + " has no state yet"
	default:
		d.Message = with("Order "+c.at(o.Name)+" is "+clip(state, 32), o.Reason)
	}
	return finding{d, since}, true
}
