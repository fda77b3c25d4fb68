package issuance

import (
	"fmt"
	"time"

	"github.com/certwire/certwire/pkg/diagnose"
	"github.com/certwire/certwire/pkg/policy"
)

// Seen is what the caller may see.
type Seen struct {
	diagnose.Objects
	// Unseen says what could not be read and what that means, one sentence each.
	Unseen []string
}

// Explanation is the outcome.
type Explanation struct {
	// Object is "Certificate shop/web".
	Object string `json:"object"`
	// Stuck is true when something is in the way.
	Stuck bool `json:"stuck"`
	// Reason is the cause, one word of docs/issuance.md; or issued, under-way or deleting.
	Reason string `json:"reason"`
	// Why says what is in the way, or how it stands.
	Why []string `json:"why"`
	// Next is what helps.
	Next string `json:"next,omitempty"`
	// Retried says when it is tried again, Until the time where it is known.
	Retried string     `json:"retried,omitempty"`
	Until   *time.Time `json:"until,omitempty"`
	// Unseen is what could not be read.
	Unseen []string `json:"unseen,omitempty"`
}

// The reasons of a Certificate that nothing is known to be in the way of.
const (
	issued   = "issued"
	underWay = "under-way"
	deleting = "deleting"
)

// Explain explains a Certificate.
func Explain(s Seen, now time.Time) *Explanation {
	f := s.Facts(now)
	d, again := diagnose.Diagnose(f)
	e := &Explanation{Object: "Certificate " + f.Certificate.Namespace + "/" + f.Certificate.Name, Unseen: s.Unseen}
	switch {
	case d.Cause != "":
		e.stuck(d)
	case f.Certificate.Deleting:
		e.Reason, e.Why = deleting, []string{"nothing is issued for it any more"}
	case f.Certificate.Ready.True && !f.Certificate.Issuing.True && f.Certificate.Failed.IsZero():
		e.Reason = issued
		if at := f.Certificate.Renewal; !at.IsZero() {
			e.why("it is renewed at %s (status.renewalTime)", policy.ToTheMinute(at))
		}
	default:
		e.Reason = underWay
		e.why("cert-manager is at it, and nothing is known to be in its way")
		if !again.IsZero() {
			e.why("if it has not come further by %s, this can say why", policy.ToTheMinute(again))
		}
	}
	if s.Certificate.Status.NotAfter != nil {
		e.why("the certificate of revision %d ends on %s", f.Certificate.Revision, s.Certificate.Status.NotAfter.UTC().Format("2006-01-02 15:04 MST"))
	}
	return e
}

func (e *Explanation) why(format string, args ...any) {
	e.Why = append(e.Why, fmt.Sprintf(format, args...))
}

func (e *Explanation) stuck(d diagnose.Diagnosis) {
	e.Stuck, e.Reason, e.Why, e.Next = true, string(d.Cause), []string{d.Message}, d.Next
	if info, ok := diagnose.About(d.Cause); ok {
		e.Retried = info.Retried
	}
	if !d.Until.IsZero() {
		e.Until = &d.Until
		e.Retried = "at " + policy.ToTheMinute(d.Until)
	}
}
