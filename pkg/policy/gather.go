package policy

import (
	"time"

	"github.com/certwire/certwire/pkg/acme"
)

// Surroundings is what rules ask about everything but the object itself. Admission answers from the inventory, and
// whoever checks manifests answers from those. Nothing that is returned is changed.
type Surroundings interface {
	// Issuer returns what is known of the issuer that an object of the namespace refers to.
	Issuer(namespace string, ref IssuerRef, directories acme.Directories) Issuer
	// StagingIssuer returns an issuer with a staging directory in reach of the namespace, rather of the given CA.
	StagingIssuer(namespace, ca string, directories acme.Directories) *Issuer
	// DueRenewal reports whether an Order renews, at its time, what the same CA issued before.
	DueRenewal(namespace string, order Renewal, directories acme.Directories, now time.Time) bool
	// NamespacesUsing returns the namespaces with Certificates from an issuer, sorted.
	NamespacesUsing(issuer IssuerRef) []string
	// LabelsAtHand returns a namespace's labels; false where finding out would take a call.
	LabelsAtHand(namespace string) (map[string]string, bool)
	// Writers returns the names of a namespace's Certificates that write to a Secret, sorted.
	Writers(namespace, secret string) []string
	// IngressClasses returns the cluster's, sorted; nil when nobody knows them.
	IngressClasses() []string
	// Users returns the Certificates that refer to an issuer, sorted.
	Users(namespace string, issuer IssuerRef) []User
	// Rehearsals returns the issuers of one kind and namespace at a staging directory of a CA, sorted by name.
	Rehearsals(namespace string, kind Kind, ca string, directories acme.Directories) []Issuer
}

// Gather adds what stands around a request's object, as far as a rule can come to ask for it. labels are the ones of the
// request's namespace. Object, Namespace, Relevant and Old must be set; the ledger's part (Orders, Budget) is not touched.
func (r *Request) Gather(s Surroundings, labels map[string]string, environments Environments, directories acme.Directories, now time.Time) {
	o := r.Object
	if !r.Relevant || o.Deleting || o.Issuer == nil || o.Issuer.External() {
		return
	}
	r.Environment = environments.Of(r.Namespace, labels)
	if o.Kind == IssuerKind || o.Kind == ClusterIssuer {
		r.Issuer = NewIssuer(*o.Issuer, o.ACME(), directories)
	} else {
		r.Issuer = s.Issuer(r.Namespace, *o.Issuer, directories)
	}
	r.around(s, directories, now)
	if r.Issuer.Directory.Stage != acme.Production {
		return
	}
	if o.Kind == ClusterIssuer {
		for _, namespace := range s.NamespacesUsing(*o.Issuer) {
			// A namespace whose labels are not at hand is left out: this only feeds a warning.
			if l, ok := s.LabelsAtHand(namespace); ok && !environments.Of(namespace, l).Production {
				r.Affected = append(r.Affected, namespace)
			}
		}
		return
	}
	if !r.Environment.Production {
		r.Staging = s.StagingIssuer(r.Namespace, r.Issuer.Directory.CA, directories)
		if o.Kind == Order {
			r.DueRenewal = s.DueRenewal(r.Namespace, Renewal{
				Certificate: o.Annotations[CertificateNameKey], Issuer: *o.Issuer,
				Directory: r.Issuer.Directory, Names: o.Identifiers(),
			}, directories, now)
		}
	}
}

// around adds what stands around a Certificate or an issuer.
func (r *Request) around(s Surroundings, directories acme.Directories, now time.Time) {
	o := r.Object
	switch o.Kind {
	case Certificate:
		r.Now = now
		r.IngressClasses = s.IngressClasses()
		for _, name := range s.Writers(r.Namespace, o.SecretName()) {
			if name != o.Name {
				r.Sharing = append(r.Sharing, name)
			}
		}
		if !r.Issuer.Found {
			r.OtherKind = otherKind(s, r.Namespace, *o.Issuer, directories)
		}
	case IssuerKind, ClusterIssuer:
		r.IngressClasses = s.IngressClasses()
		if r.Old == nil {
			return
		}
		r.Users = s.Users(r.Namespace, *o.Issuer)
		if d := r.Issuer.Directory; d.CA != "" {
			r.StagingHost = directories.StagingHost(d.CA)
			r.Rehearsals = s.Rehearsals(r.Namespace, o.Kind, d.CA, directories)
		}
	}
}

// otherKind looks for an Issuer of a ClusterIssuer's name, and the other way round.
func otherKind(s Surroundings, namespace string, ref IssuerRef, directories acme.Directories) *IssuerRef {
	other := NewIssuerRef(ref.Name, string(ClusterIssuer), "")
	if ref.Kind == string(ClusterIssuer) {
		other = NewIssuerRef(ref.Name, string(IssuerKind), "")
	}
	if !s.Issuer(namespace, other, directories).Found {
		return nil
	}
	return &other
}
