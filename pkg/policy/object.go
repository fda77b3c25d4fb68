package policy

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Annotations that rules read.
const (
	// CertificateNameKey is copied by cert-manager from a Certificate's request onto its Order.
	CertificateNameKey = "cert-manager.io/certificate-name"
	// BreakGlassKey says, with a reason, that the requester means to pass a refusal. It counts only together with the
	// RBAC verb of the same name.
	BreakGlassKey = "certwire.dev/break-glass"

	issuerKey        = "cert-manager.io/issuer"
	clusterIssuerKey = "cert-manager.io/cluster-issuer"
	issuerKindKey    = "cert-manager.io/issuer-kind"
	issuerGroupKey   = "cert-manager.io/issuer-group"
)

// Object is what rules read of an admitted object. It is decoded from raw JSON: unknown fields and versions are read
// for what they have.
type Object struct {
	Kind Kind
	// Name is metadata.name, or metadata.generateName and a question mark while the server has not chosen a name yet.
	Name string
	// UID is metadata.uid. The server has set it by the time that validating webhooks see a creation (k8s.io/apiserver,
	// registry/generic/registry/store.go: the object is prepared before it is validated).
	UID string
	// Deleting is true when metadata.deletionTimestamp is set.
	Deleting            bool
	Labels, Annotations map[string]string
	// Owner is the kind of the controlling owner, empty when there is none.
	Owner string
	// Issuer is the issuer it refers to; nil when it refers to none (an Ingress without the annotations).
	Issuer *IssuerRef
	// Server is spec.acme.server of an Issuer or ClusterIssuer.
	Server string

	spec map[string]jsontext.Value
}

// Parse reads an object of the given kind. The error says which part has the wrong shape.
func Parse(kind Kind, raw []byte) (Object, error) {
	var o struct {
		Metadata struct {
			Name              string            `json:"name"`
			UID               string            `json:"uid"`
			GenerateName      string            `json:"generateName"`
			DeletionTimestamp string            `json:"deletionTimestamp"`
			Labels            map[string]string `json:"labels"`
			Annotations       map[string]string `json:"annotations"`
			OwnerReferences   []struct {
				Kind       string `json:"kind"`
				Controller bool   `json:"controller"`
			} `json:"ownerReferences"`
		} `json:"metadata"`
		Spec map[string]jsontext.Value `json:"spec"`
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		return Object{}, fmt.Errorf("decoding the %s: %w", kind, err)
	}
	out := Object{
		Kind: kind, Name: o.Metadata.Name, UID: o.Metadata.UID, Deleting: o.Metadata.DeletionTimestamp != "",
		Labels: o.Metadata.Labels, Annotations: o.Metadata.Annotations, spec: o.Spec,
	}
	if out.Name == "" && o.Metadata.GenerateName != "" {
		out.Name = o.Metadata.GenerateName + "?"
	}
	for _, owner := range o.Metadata.OwnerReferences {
		if owner.Controller {
			out.Owner = owner.Kind
		}
	}
	if err := out.readIssuer(); err != nil {
		return Object{}, err
	}
	return out, nil
}

func (o *Object) readIssuer() error {
	switch o.Kind {
	case Certificate, CertificateRequest, Order:
		var ref struct {
			Name  string `json:"name"`
			Kind  string `json:"kind"`
			Group string `json:"group"`
		}
		if err := o.field("issuerRef", &ref); err != nil {
			return err
		}
		r := NewIssuerRef(ref.Name, ref.Kind, ref.Group)
		o.Issuer = &r
	case IssuerKind, ClusterIssuer:
		var acme struct {
			Server string `json:"server"`
		}
		if err := o.field("acme", &acme); err != nil {
			return err
		}
		o.Server = acme.Server
		r := NewIssuerRef(o.Name, string(o.Kind), "")
		o.Issuer = &r
	case Ingress, Gateway:
		asks, err := o.asksForCertificates()
		if err != nil {
			return err
		}
		if asks {
			o.Issuer = shimIssuer(o.Annotations)
		}
	}
	return nil
}

// asksForCertificates reports whether the shims would make a Certificate: for each entry of an Ingress's spec.tls, and
// for each of a Gateway's listeners that refers to a certificate.
func (o *Object) asksForCertificates() (bool, error) {
	if o.Kind == Ingress {
		var tls []jsontext.Value
		err := o.field("tls", &tls)
		return len(tls) > 0, err
	}
	var listeners []struct {
		TLS struct {
			CertificateRefs []jsontext.Value `json:"certificateRefs"`
		} `json:"tls"`
	}
	if err := o.field("listeners", &listeners); err != nil {
		return false, err
	}
	for _, l := range listeners {
		if len(l.TLS.CertificateRefs) > 0 {
			return true, nil
		}
	}
	return false, nil
}

// Identifiers returns what an Order or a Certificate asks a certificate for. A field of the wrong type counts as empty.
func (o *Object) Identifiers() []string {
	return Identifiers(o.CommonName(), o.DNSNames(), o.IPAddresses())
}

// Replaces is what an Order says it replaces (ARI, RFC 9773); empty when it says nothing.
func (o *Object) Replaces() string {
	var id string
	_ = o.field("replaces", &id)
	return id
}

// SecretName is a Certificate's.
func (o *Object) SecretName() string {
	var name string
	_ = o.field("secretName", &name)
	return name
}

func (o *Object) field(name string, into any) error {
	raw, ok := o.spec[name]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("decoding spec.%s of the %s: %w", name, o.Kind, err)
	}
	return nil
}

// shimIssuer reads the annotations as cert-manager's ingress-shim and gateway-shim do (cert-manager,
// pkg/controller/certificate-shim/sync.go, issuerForIngressLike). Contradictions make it issue nothing, so they name no
// issuer here; the default issuer of kubernetes.io/tls-acme is one of cert-manager's flags and is seen at the Order.
func shimIssuer(annotations map[string]string) *IssuerRef {
	name, named := annotations[issuerKey]
	cluster, clustered := annotations[clusterIssuerKey]
	kind, group := annotations[issuerKindKey], annotations[issuerGroupKey]
	switch {
	case named == clustered, clustered && (kind != "" || group != ""):
		return nil
	case clustered:
		r := NewIssuerRef(cluster, string(ClusterIssuer), "")
		return &r
	default:
		r := NewIssuerRef(name, kind, group)
		return &r
	}
}

// ShimMade is true for a Certificate that cert-manager made for an Ingress, a Gateway or a ListenerSet. It is told by
// the controlling owner and not by the user, who is cert-manager either way.
func (o *Object) ShimMade() bool {
	return o.Kind == Certificate && (o.Owner == "Ingress" || o.Owner == "Gateway" || o.Owner == "ListenerSet")
}
