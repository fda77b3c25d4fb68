package diagnose

import (
	"time"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"

	"github.com/certwire/certwire/pkg/policy"
)

// Facts are what is known of one Certificate's issuance.
type Facts struct {
	Now         time.Time
	Certificate Certificate
	// Sharing are the other Certificates of the namespace that name the same Secret.
	Sharing []Sibling
	Issuer  Issuer
	// Request is the one for the next revision, see [Newest]; nil while there is none.
	Request *Request
	// Order is the request's, nil while there is none; Challenges are the Order's.
	Order      *Order
	Challenges []*Challenge
	// Busy are the Challenges of the whole cluster that cert-manager works at. Only needed while one of Challenges waits.
	Busy []*Challenge
	// Ingresses are those that were made for the Challenges; nil where nobody knows.
	Ingresses []Ingress
	// Classes are the names of the cluster's IngressClasses; nil where nobody knows.
	Classes []string
	// Hidden is what may not be read.
	Hidden Hidden
}

// Hidden says what is not known for want of permission. Nothing is concluded from what is not there then.
type Hidden struct{ Certificates, Issuer, Requests, Orders, Challenges bool }

// Condition is one of an object's. The zero Condition is one that is not there.
type Condition struct {
	// True and False are both false when it is unknown, or not there.
	True, False bool
	// Reason and Message are bounded, and of one line.
	Reason, Message string
	Since           time.Time
}

// Certificate is what is known of the Certificate itself.
type Certificate struct {
	Namespace, Name, Secret string
	Created                 time.Time
	// Deleting is true for one that is going.
	Deleting bool
	// Revision counts the issuances.
	Revision       int64
	Ready, Issuing Condition
	// Renewal is when it is due to be renewed; zero when that is not known.
	Renewal time.Time
	// Failed is when the last attempt failed, zero after a success. Failures is how many have in a row.
	Failed   time.Time
	Failures int
	// Key is true once cert-manager has made the private key for the next certificate.
	Key bool
}

// Sibling is another Certificate.
type Sibling struct {
	Name    string
	Created time.Time
}

// Issuer is the issuer that the Certificate names.
type Issuer struct {
	Ref policy.IssuerRef
	// Found is false when there is none. Of an external one nothing else is known.
	Found, Ready bool
	// Reason and Message say why it is not ready; empty while cert-manager has not looked.
	Reason, Message string
	// ACME is true for one that orders from an ACME CA, with the profile and by the solvers.
	ACME    bool
	Profile string
	Solvers []policy.Solver
	// Since is when it became what it is; zero if that is not known.
	Since time.Time
}

// Request is a CertificateRequest that was not granted yet.
type Request struct {
	Name    string
	Created time.Time
	// Revision is the one it is for; 0 when it does not say.
	Revision         int64
	Approved, Denied Condition
	Invalid, Ready   Condition
	// Failed is when it did.
	Failed time.Time
	// Refusal is certwire's own, or says that certwire could not be asked; see [Refusal].
	Refusal string
	// Granted is true for one whose certificate is there.
	Granted bool
}

// Order is an Order that has not come to its certificate.
type Order struct {
	Name, Request string
	Created       time.Time
	State         acmeapi.State
	// Placed is true when the CA knows it.
	Placed bool
	Reason string
	Failed time.Time
	// Known is true once the CA has said which names have to be proven, and Names are these.
	Known bool
	Names []string
	// Labels are its own, by which solvers select.
	Labels map[string]string
	// Overrides is how many annotations each say what the solver's Ingress is to be: one at most.
	Overrides int
}

// Challenge is a Challenge that is not valid.
type Challenge struct {
	Namespace, Name, Order string
	Created                time.Time
	// Domain is as the Challenge has it, Identifier with the star of a wildcard.
	Domain, Identifier string
	Type               acmeapi.ACMEChallengeType
	State              acmeapi.State
	Processing         bool
	Presented          bool
	PresentedAt        time.Time
	Reason             string
	// Class is the spec.ingressClassName of the solver's Ingress; empty where it has none.
	Class string
}

// Ingress is one that cert-manager made for a Challenge.
type Ingress struct {
	Name, Challenge string
	Created         time.Time
	// Address is true once a controller has given it one.
	Address bool
}

// Newest returns the request that the next revision waits for: the newest one that is not of a revision that is there
// already; nil when there is none.
func Newest(revision int64, requests []*Request) *Request {
	var out *Request
	for _, r := range requests {
		if r.Revision != 0 && r.Revision <= revision {
			continue
		}
		if out == nil || r.Created.After(out.Created) || (r.Created.Equal(out.Created) && r.Name > out.Name) {
			out = r
		}
	}
	return out
}
