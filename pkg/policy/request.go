package policy

import (
	"slices"
	"strings"

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

// Issuer is what the inventory knows of an issuer.
type Issuer struct {
	Ref IssuerRef
	// Found is false when no such object is known.
	Found bool
	// ACME is true when it orders from an ACME directory, which Directory then describes.
	ACME      bool
	Directory acme.Directory
	// Account is the URL of its ACME account; empty until it is registered.
	Account string
}

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
}
