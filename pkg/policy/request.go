package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/certwire/certwire/pkg/acme"
)

// Kind is the kind of the object that a request creates or updates.
type Kind string

// The kinds that rules look at.
const (
	Certificate        Kind = "Certificate"
	CertificateRequest Kind = "CertificateRequest"
	Order              Kind = "Order"
	IssuerKind         Kind = "Issuer"
	ClusterIssuer      Kind = "ClusterIssuer"
	Ingress            Kind = "Ingress"
	Gateway            Kind = "Gateway"
)

// KindOf tells the kinds that rules look at from all others, by API group and kind.
func KindOf(group, kind string) (Kind, bool) {
	k := Kind(kind)
	switch k {
	case Certificate, CertificateRequest, IssuerKind, ClusterIssuer:
		return k, group == CertManagerGroup
	case Order:
		return k, group == "acme."+CertManagerGroup
	case Ingress:
		return k, group == "networking.k8s.io"
	case Gateway:
		return k, group == "gateway.networking.k8s.io"
	}
	return "", false
}

// CertManagerGroup is the API group whose issuers cert-manager itself serves, and the default of an issuerRef.
const CertManagerGroup = "cert-manager.io"

// IssuerRef is a reference to an issuer with kind and group filled in. cert-manager fills them in at run time only, so
// what admission sees may lack both: use [NewIssuerRef].
type IssuerRef struct {
	Name, Kind, Group string
}

// NewIssuerRef applies cert-manager's defaults: kind Issuer, group cert-manager.io.
func NewIssuerRef(name, kind, group string) IssuerRef {
	if kind == "" {
		kind = string(IssuerKind)
	}
	if group == "" {
		group = CertManagerGroup
	}
	return IssuerRef{Name: name, Kind: kind, Group: group}
}

// String is how people name it: "ClusterIssuer letsencrypt-prod".
func (r IssuerRef) String() string { return r.Kind + " " + r.Name }

// External is true for an issuer that another controller serves: certwire does not know its CA.
func (r IssuerRef) External() bool { return r.Group != CertManagerGroup }

// Renewal is what an Order says of itself that can show it to be a renewal.
type Renewal struct {
	// Certificate is the name in cert-manager's annotation.
	Certificate string
	Issuer      IssuerRef
	// Directory is the issuer's now.
	Directory acme.Directory
	// Names are the identifiers, as [Identifiers] gives them.
	Names []string
}

// Identifiers joins what an Order asks a certificate for: lower case, sorted, each once, the common name among them, as
// cert-manager does (pkg/controller/acmeorders/sync.go, createOrder).
func Identifiers(commonName string, dnsNames, ipAddresses []string) []string {
	var out []string
	for _, list := range [][]string{{commonName}, dnsNames, ipAddresses} {
		for _, name := range list {
			if name != "" {
				out = append(out, strings.ToLower(name))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Environment is what a namespace is for.
type Environment struct {
	// Name is the word its owner uses, such as "staging"; empty when nothing says.
	Name string
	// Production is true when orders from a production CA are at home in it.
	Production bool
	// From says where that is written, as in "label certwire.dev/environment".
	From string
}

// String describes it inside a sentence: `"staging" (label certwire.dev/environment)`.
func (e Environment) String() string {
	if e.Name == "" {
		return "without an environment (" + e.From + ")"
	}
	return `"` + e.Name + `" (` + e.From + ")"
}

// Request is everything that a rule may know about one admission request.
type Request struct {
	Object Object
	// Namespace is the request's; empty for a ClusterIssuer.
	Namespace string
	// Relevant is false for an update that changes nothing an order depends on.
	Relevant bool
	// Environment is the namespace's.
	Environment Environment
	// Issuer is the one that the object refers to or, for an Issuer or ClusterIssuer, the object itself.
	Issuer Issuer
	// Staging is an issuer in reach of the namespace that uses a staging directory; nil when there is none.
	Staging *Issuer
	// DueRenewal is true for an Order that renews, at its time, a certificate issued before from the same issuer.
	DueRenewal bool
	// Create is true for a creation, false for an update.
	Create bool
	// Orders says whether the request leads to an order. Empty counts as certain: an Order is one.
	Orders Likelihood
	// Budget is what the ledger says of that order.
	Budget Budget
	// Affected lists, for a ClusterIssuer, the non-production namespaces that have Certificates from it, sorted.
	Affected []string

	// Old is the object before an update; nil for a creation, and when it could not be read.
	Old *Object
	// Now is when the request was made. No Order's refusal may hold it.
	Now time.Time
	// Sharing lists, for a Certificate, the other Certificates of its namespace that write to the same Secret, sorted.
	Sharing []string
	// OtherKind is the issuer of the name that a Certificate refers to and of the other kind; nil unless it alone exists.
	OtherKind *IssuerRef
	// IngressClasses are the cluster's, sorted; nil when nobody knows them.
	IngressClasses []string
	// Users are, for an Issuer or ClusterIssuer that is changed, the Certificates that refer to it, sorted.
	Users []User
	// Rehearsals are, for one that is changed, the issuers of its kind and namespace at a staging directory of the same
	// CA, sorted by name. StagingHost is the host of such a directory, empty when the CA has none.
	Rehearsals  []Issuer
	StagingHost string
}

// User is a Certificate that uses an issuer.
type User struct {
	Namespace, Name string
	// Names are what it asked for last; empty when that is not known.
	Names []string
}
