package diagnose

import (
	"slices"
	"time"
)

// Cause is what is in the way of an issuance: a closed set, fit for a metric label.
type Cause string

// The causes. Where several hold, the first of them in [Causes] is told.
const (
	DuplicateSecret     Cause = "duplicate-secret"
	RateLimited         Cause = "rate-limited"
	ACMEInvalid         Cause = "acme-invalid"
	OrderFailed         Cause = "order-failed"
	RequestDenied       Cause = "cr-denied"
	RequestFailed       Cause = "request-failed"
	Backoff             Cause = "backoff"
	IssuerMissing       Cause = "issuer-missing"
	IssuerNotReady      Cause = "issuer-not-ready"
	RefusedByCertwire   Cause = "refused-by-certwire"
	RequestNotApproved  Cause = "cr-not-approved"
	OrderNoSolver       Cause = "order-no-solver"
	Zombie              Cause = "zombie"
	PresentError        Cause = "present-error"
	IngressClassUnknown Cause = "ingress-class-unknown"
	IngressNoAddress    Cause = "ingress-no-address"
	SelfCheck404        Cause = "selfcheck-404"
	SelfCheckStatus     Cause = "selfcheck-status"
	SelfCheckWrongBody  Cause = "selfcheck-wrong-body"
	SelfCheckConnect    Cause = "selfcheck-connect"
	SelfCheckDNS        Cause = "selfcheck-dns"
	ChallengeQueued     Cause = "challenge-queued"
	NoProgress          Cause = "no-progress"
)

// Info is what the documentation says of a cause.
type Info struct {
	Cause Cause
	// Grace is how long it may hold until it is told: much of it is how every issuance begins.
	Grace time.Duration
	// Meaning, Helps and Retried are sentences: what is in the way, what a person can do, and when cert-manager tries again.
	Meaning, Helps, Retried string
}

// When something is tried again, in words that several causes share.
const (
	byBackoff   = "after an hour, doubled with each failure up to 32 hours (cert-manager's defaults)"
	bySelfCheck = "every 10 seconds (cert-manager's default)"
	byChange    = "at once, when that has changed"
)

var causes = []Info{
	{
		DuplicateSecret, time.Minute,
		"Another Certificate of the namespace names the same Secret and has it. cert-manager issues for one of them, and says nothing of the others",
		"give each Certificate its own `spec.secretName`, or delete one of them", "every 3 minutes",
	},
	{
		RateLimited, 0,
		"The CA has refused for one of its rate limits. A new Order before its time is refused, too, and may count",
		"wait; look at what orders so often (`kubectl certwire budget`), and do not delete the Certificate or its Secret", byBackoff + ", in vain before the CA's own time",
	},
	{
		ACMEInvalid, 0,
		"The CA has looked, and could not prove a name: `dns` (it does not resolve), `caa` (a CAA record forbids this CA), `unauthorized` (somebody else answers), `connection` (port 80 cannot be reached)",
		"mend what the message names, as seen from the internet", byBackoff,
	},
	{
		OrderFailed, time.Minute,
		"The Order has failed for another reason, which the message has, or a Challenge has expired and its Order was left pending",
		"see the CA's words; delete the Order if it is still pending: a new one is made", byBackoff,
	},
	{
		RequestDenied, 0,
		"An approver has denied the CertificateRequest", "change the Certificate, or the policy of the approver", byBackoff,
	},
	{
		RequestFailed, 0,
		"The issuer has failed the CertificateRequest, without an Order to tell why, or cert-manager found it invalid",
		"see the issuer's words", byBackoff,
	},
	{
		Backoff, 0,
		"The last attempt has failed, its objects are gone, and the next one is not due", "see the message; `cmctl renew` tries at once", byBackoff,
	},
	{
		IssuerMissing, 30 * time.Second,
		"The issuer that the Certificate names does not exist", "create it, or correct `spec.issuerRef`: its kind is Issuer where none is written", byChange,
	},
	{
		IssuerNotReady, time.Minute,
		"The issuer exists and is not Ready: its account or its key is not there, or its CA does not answer", "`kubectl describe` the issuer", byChange,
	},
	{
		RefusedByCertwire, 0,
		"certwire has refused the Order, before the CA saw it, or could not be asked. The message is the refusal",
		"see the rule in [rules.md](rules.md)", "by certwire, when the budget allows; otherwise by cert-manager, every 5 minutes at most",
	},
	{
		RequestNotApproved, time.Minute,
		"Nobody has approved the CertificateRequest, and it waits for ever", "`cmctl approve`; a policy of the approver that lets it pass", "at once, when it is approved",
	},
	{
		OrderNoSolver, 30 * time.Second,
		"No solver of the issuer can prove a name of the Order, or its override annotations contradict each other. It stays pending for ever",
		"add a solver, or a selector that matches: a wildcard needs `dns01`", "when the issuer or the Order changes",
	},
	{
		Zombie, 0,
		"The Challenge is older than the CA keeps a pending authorization: 7 days, or 1 hour for the profiles `tlsserver` and `shortlived`. It cannot succeed any more, whatever is mended",
		"mend what the message says besides, then delete the Order: a new one is made", "never",
	},
	{
		PresentError, time.Minute,
		"The solver's pod, Service, Ingress or DNS record could not be made", "see the error: a quota, a policy, an admission webhook, credentials of the DNS provider", "at growing intervals",
	},
	{
		IngressClassUnknown, time.Minute,
		"The Challenge's Ingress names a class that no IngressClass of the cluster has: nobody serves it", "correct the solver's `ingressClassName`, and delete the Order", bySelfCheck,
	},
	{
		IngressNoAddress, 2 * time.Minute,
		"No controller has given the Challenge's Ingress an address: its class is another controller's or nobody's, or the controller is down", "see the class of the solver and the controller", bySelfCheck,
	},
	{
		SelfCheck404, 2 * time.Minute,
		"cert-manager asked for the Challenge's URL itself and was answered 404: the host leads to something that does not know the solver's Ingress",
		"see where the name's DNS leads, and the class of the solver", bySelfCheck,
	},
	{
		SelfCheckStatus, 2 * time.Minute,
		"The same with another status: 301 is mostly a redirect to HTTPS that ends nowhere, 401 and 403 access control in front of everything, 503 a solver pod that does not run",
		"let `/.well-known/acme-challenge/` pass", bySelfCheck,
	},
	{
		SelfCheckWrongBody, 2 * time.Minute,
		"Somebody else answers with 200: the name's DNS leads elsewhere, or another Ingress has the host's paths", "see where the name leads, and who has the host", bySelfCheck,
	},
	{
		SelfCheckConnect, 2 * time.Minute,
		"cert-manager cannot reach the name at all: no DNS, a load balancer that does not let the cluster reach itself (hairpin, PROXY protocol), a firewall, a proxy",
		"try the URL from a pod; `waitInsteadOfSelfCheck` on the solver where only the cluster cannot reach it", bySelfCheck,
	},
	{
		SelfCheckDNS, 10 * time.Minute,
		"The TXT record of a DNS-01 Challenge cannot be seen yet: slow propagation, the wrong zone, split DNS", "look the record up at the zone's own servers; `--dns01-recursive-nameservers` of cert-manager", bySelfCheck,
	},
	{
		ChallengeQueued, 2 * time.Minute,
		"The Challenge has not begun: cert-manager works at 60 at a time in the whole cluster, and at one for each name and type. The message names what it waits for",
		"mend or delete the Challenges that do not come to an end", "when another Challenge ends",
	},
	{
		NoProgress, 10 * time.Minute,
		"Nothing has happened for ten minutes, and no object says more than the message", "see whether cert-manager runs, and its log for that name", "by cert-manager",
	},
}

// Causes returns all of them with what the documentation says, the one that is told first first.
func Causes() []Info { return slices.Clone(causes) }

// About returns what the documentation says of a cause; false for one that there is not.
func About(c Cause) (Info, bool) {
	if i := c.rank(); i < len(causes) {
		return causes[i], true
	}
	return Info{}, false
}

// rank is the place of a cause among all.
func (c Cause) rank() int {
	for i := range causes {
		if causes[i].Cause == c {
			return i
		}
	}
	return len(causes)
}
