package diagnose

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/policy"
)

// cert-manager's defaults for the time between two attempts (internal/apis/config/controller/v1alpha1/defaults.go).
const (
	firstBackoff = time.Hour
	lastBackoff  = 32 * time.Hour
)

// retry is when the next attempt begins after one that has failed (certificates/trigger/trigger_controller.go,
// shouldBackoffReissuingOnFailure); zero after a success.
func (f Facts) retry() time.Time {
	c := f.Certificate
	if c.Failed.IsZero() {
		return time.Time{}
	}
	wait := firstBackoff
	for n := 1; n < c.Failures && wait < lastBackoff; n++ {
		wait *= 2
	}
	return c.Failed.Add(min(wait, lastBackoff))
}

// failed is for an attempt that has failed, until the next one begins.
func failed(f Facts) (finding, bool) {
	c, r, o := f.Certificate, f.current(), f.Order
	if r == nil {
		o = nil
	}
	over := o != nil && failedState(o.State)
	switch {
	case c.Issuing.True && (r == nil || !r.over()) && !over:
		return finding{}, false
	case !c.Issuing.True && c.Failed.IsZero():
		return finding{}, false
	case !c.Issuing.True && !f.retry().After(f.Now):
		return finding{}, false // the next one is due
	}
	found := finding{f.why(r, o, over), later(c.Failed, f.begun())}
	if o != nil {
		found.since = later(o.Created, o.Failed)
	}
	if !c.Issuing.True {
		found.Until = later(found.Until, f.retry())
	}
	return found, true
}

// over reports whether nothing more comes of a request.
func (r *Request) over() bool {
	return r.Denied.True || r.Invalid.True || (r.Ready.False && r.Ready.Reason == "Failed") || !r.Failed.IsZero()
}

// why finds the reason of a failure in what is left of the attempt: the Order, else the request, else the Certificate.
func (f Facts) why(r *Request, o *Order, over bool) Diagnosis {
	c := f.Certificate
	switch {
	case over:
		return f.ofOrder(o)
	case r == nil || !r.over():
		said := c.Issuing.Message
		if limited, ok := rateLimited(said); ok {
			return limited
		}
		return Diagnosis{
			Cause: Backoff, Message: with(fmt.Sprintf("the last attempt to issue Certificate %s has failed", c.at(c.Name)), said),
			Next: "mend that, then: cmctl renew " + clip(c.Name, maxName) + " -n " + c.Namespace,
		}
	case r.Denied.True:
		return Diagnosis{
			Cause: RequestDenied, Message: with("CertificateRequest "+c.at(r.Name)+" was denied", r.Denied.Message),
			Next: "change the Certificate, or the policy of the approver",
		}
	}
	said := r.Ready.Message
	if r.Invalid.True {
		said = r.Invalid.Message
	}
	if limited, ok := rateLimited(said); ok {
		return limited
	}
	return Diagnosis{
		Cause: RequestFailed, Message: with("CertificateRequest "+c.at(r.Name)+" has failed", said),
		Next: "mend that, then: cmctl renew " + clip(c.Name, maxName) + " -n " + c.Namespace,
	}
}

// ofOrder finds the reason of an Order's failure: a Challenge of it, or itself.
func (f Facts) ofOrder(o *Order) Diagnosis {
	if limited, ok := rateLimited(o.Reason); ok {
		return limited
	}
	for _, ch := range f.Challenges {
		if ch.State == acmeapi.Invalid {
			return invalid(f.Certificate, ch)
		}
	}
	for _, ch := range f.Challenges {
		if failedState(ch.State) && ch.Reason != "" {
			if limited, ok := rateLimited(ch.Reason); ok {
				return limited
			}
			return f.orderFailed(o, ch.Reason)
		}
	}
	if kind := problem(o.Reason); kind == "caa" || kind == "dns" {
		return Diagnosis{
			Cause: ACMEInvalid, Message: with(fmt.Sprintf("Order %s has failed (%s)", f.Certificate.at(o.Name), kind), o.Reason),
			Next: helpFor(kind, "each name"),
		}
	}
	return f.orderFailed(o, o.Reason)
}

func (f Facts) orderFailed(o *Order, said string) Diagnosis {
	c := f.Certificate
	return Diagnosis{
		Cause: OrderFailed, Message: with(fmt.Sprintf("Order %s is %s", c.at(o.Name), clip(string(o.State), 32)), said),
		Next: "mend that, then: cmctl renew " + clip(c.Name, maxName) + " -n " + c.Namespace,
	}
}

// rateLimited reads a CA's refusal.
func rateLimited(text string) (Diagnosis, bool) {
	r, ok := acme.ParseRateLimited(text)
	if !ok {
		return Diagnosis{}, false
	}
	d := Diagnosis{Cause: RateLimited, Message: with("the CA has refused for its rate limit", text), Until: r.RetryAfter, Next: "wait; see what orders so often: kubectl certwire budget"}
	if !r.RetryAfter.IsZero() {
		d.Message = with("the CA refuses for its rate limit until "+policy.ToTheMinute(r.RetryAfter), text)
	}
	if r.Paused {
		d.Next = "open the page that the CA names: it has paused the account for these names"
	}
	return d, true
}

// problemType is an ACME error's type (RFC 8555, section 6.7).
var problemType = regexp.MustCompile(`urn:ietf:params:acme:error:([A-Za-z]{1,40})`)

func problem(text string) string {
	if m := problemType.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// invalid is for a name that the CA has looked at in vain.
func invalid(c Certificate, ch *Challenge) Diagnosis {
	if limited, ok := rateLimited(ch.Reason); ok {
		return limited
	}
	kind := problem(ch.Reason)
	said := clip(strings.TrimPrefix(ch.Reason, "Error accepting authorization: "), maxKept)
	message := fmt.Sprintf("the CA could not prove %s by %s", clip(ch.Identifier, maxName), clip(string(ch.Type), 16))
	if kind != "" {
		message += " (" + kind + ")"
	}
	return Diagnosis{Cause: ACMEInvalid, Message: with(message, said), Next: helpFor(kind, clip(ch.Domain, maxName)) + ", then: cmctl renew " + clip(c.Name, maxName) + " -n " + c.Namespace}
}

// helpFor is by the error's type, as the CA uses it (RFC 8555, section 6.7).
func helpFor(kind, name string) string {
	switch kind {
	case "dns":
		return "let " + name + " resolve in public DNS"
	case "caa":
		return "let the CAA records of " + name + " name this CA"
	case "connection", "tls":
		return "let the internet reach port 80 of " + name
	case "unauthorized", "incorrectResponse":
		return "see who answers for " + name + " on the internet"
	default:
		return "mend what the CA says of " + name
	}
}

// refusedUntil is the time in certwire's own refusals (pkg/policy, rule budget).
var refusedUntil = regexp.MustCompile(`possible at (\d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC)`)

func untilIn(refusal string) time.Time {
	m := refusedUntil.FindStringSubmatch(refusal)
	if m == nil {
		return time.Time{}
	}
	at, err := time.Parse("2006-01-02 15:04 MST", m[1])
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}
