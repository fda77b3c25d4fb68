// Rule unrehearsed-change: a production issuer is changed after the change has worked on staging.
//
// Solvers, directory, profile and external account decide whether the next renewal of every Certificate of an issuer
// works, and a renewal may be weeks away. A staging directory shows it at once, and failures there count against no limit
// that matters: 200 failed authorizations an hour where production allows 5
// (https://letsencrypt.org/docs/staging-environment/).
//
// Warned about: an update of an Issuer or ClusterIssuer at a known CA's production directory that changes its solvers,
// server, profile or external account, while Certificates use it and no rehearsal exists. A rehearsal is an issuer of
// the same kind, and for an Issuer in the same namespace, with a staging directory of the same CA, the same solvers
// (every field counts, the order of a selector's items does not), the same profile, and Ready. The warning names the one
// that comes closest.
//
// Not looked at: CAs without a staging directory; issuers without Certificates; creation.
//
// It only warns, since the rehearsal is another object, and an emergency does not wait for one.
//
// Reasons: unrehearsed-change.

package policy

import (
	"fmt"

	"github.com/certwire/certwire/pkg/acme"
)

// UnrehearsedChange is the name of the rule in rule_unrehearsed_change.go.
const UnrehearsedChange RuleName = "unrehearsed-change"

// ReasonUnrehearsedChange is the reason of [UnrehearsedChange].
const ReasonUnrehearsedChange Reason = "unrehearsed-change"

var unrehearsedChange = Rule{
	Name:    UnrehearsedChange,
	Reasons: []Reason{ReasonUnrehearsedChange},
	Check:   checkUnrehearsedChange,
}

func checkUnrehearsedChange(r Request) Finding {
	if !forACME(r, IssuerKind, ClusterIssuer) || r.Old == nil || len(r.Users) == 0 || r.StagingHost == "" || r.Issuer.Directory.Stage != acme.Production {
		return Finding{}
	}
	var near *Issuer // one with other solvers or, rather, one with the same that is not ready
	for i, twin := range r.Rehearsals {
		same := rehearses(twin, r.Issuer)
		switch {
		case same && twin.Ready:
			return Finding{}
		case twin.Ref == r.Issuer.Ref: // what this very issuer was before is no rehearsal of what it becomes
		case near == nil || (same && !rehearses(*near, r.Issuer)):
			near = &r.Rehearsals[i]
		}
	}
	count := fmt.Sprintf("%d Certificates", len(r.Users))
	if len(r.Users) == 1 {
		count = "1 Certificate"
	}
	return advise(UnrehearsedChange, ReasonUnrehearsedChange,
		fmt.Sprintf("%s is used by %s, and this change has not worked on staging yet", r.Issuer.Ref, count), rehearsal(r, near))
}

func rehearses(twin, issuer Issuer) bool {
	return twin.SolvesLike(issuer) && twin.Profile == issuer.Profile
}

// rehearsal says what to do first.
func rehearsal(r Request, near *Issuer) string {
	switch {
	case near == nil:
		return fmt.Sprintf("make one like it with server %s, and issue from that first", r.StagingHost)
	case rehearses(*near, r.Issuer):
		return fmt.Sprintf("%s has the same solvers but is not Ready: see why first", near.Ref)
	case near.SolvesLike(r.Issuer):
		return fmt.Sprintf("%s has another profile: change it there, and issue from that first", near.Ref)
	default:
		return fmt.Sprintf("%s has other solvers: change it there, and issue from that first", near.Ref)
	}
}
