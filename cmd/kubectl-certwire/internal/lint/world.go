package lint

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/mutate"
	"github.com/certwire/certwire/pkg/policy"
)

// key names an object of a namespace; the namespace is empty for one of the cluster.
type key struct{ namespace, name string }

// certificate is what the surroundings read of a Certificate.
type certificate struct {
	mutate.Certificate
	namespace, secret string
	issuer            policy.IssuerRef
}

// world is the input as the surroundings of each of its objects.
type world struct {
	namespaces   map[string]map[string]string
	assumed      map[string]string // labels of namespaces that are not in the input; nil when nobody has said
	issuers      map[key]issuer    // by namespace; ClusterIssuers have none
	certificates []certificate
	labels       map[workload]string // certwire.dev/reload on workloads
	limits       map[string][]corev1.LimitRangeItem
	reloader     mutate.Reloader
}

type issuer struct {
	object policy.Object
	status cmapi.IssuerStatus
}

type workload struct{ kind, namespace, name string }

func newWorld(assumed map[string]string) *world {
	return &world{
		namespaces: map[string]map[string]string{}, assumed: assumed, issuers: map[key]issuer{},
		labels: map[workload]string{}, limits: map[string][]corev1.LimitRangeItem{},
		// Nothing in the input says whether the cluster has one, so it is taken for granted.
		reloader: mutate.Reloader{Found: true, Keys: mutate.DefaultKeys()},
	}
}

func (w *world) addIssuer(namespace string, o policy.Object, raw []byte) error {
	var status struct {
		Status cmapi.IssuerStatus `json:"status"`
	}
	if err := json.Unmarshal(raw, &status); err != nil {
		return err
	}
	w.issuers[key{namespace, o.Name}] = issuer{o, status.Status}
	return nil
}

func (w *world) addCertificate(namespace string, o policy.Object, raw []byte) error {
	var c struct {
		Spec struct {
			SecretTemplate struct {
				Labels      map[string]string `json:"labels"`
				Annotations map[string]string `json:"annotations"`
			} `json:"secretTemplate"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return err
	}
	w.certificates = append(w.certificates, certificate{
		Certificate: mutate.Certificate{Name: o.Name, SecretLabels: c.Spec.SecretTemplate.Labels, SecretAnnotations: c.Spec.SecretTemplate.Annotations},
		namespace:   namespace, secret: o.SecretName(), issuer: *o.Issuer,
	})
	return nil
}

// writing are the Certificates that write to a Secret, sorted by name.
func (w *world) writing(namespace, secret string) []mutate.Certificate {
	var out []mutate.Certificate
	for _, c := range w.certificates {
		if c.namespace == namespace && c.secret == secret && secret != "" {
			out = append(out, c.Certificate)
		}
	}
	slices.SortFunc(out, func(a, b mutate.Certificate) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(out, func(a, b mutate.Certificate) bool { return a.Name == b.Name })
}

// LabelsAtHand implements [policy.Surroundings]. What somebody has said of namespaces counts for those that the input
// lacks.
func (w *world) LabelsAtHand(namespace string) (map[string]string, bool) {
	if labels, ok := w.namespaces[namespace]; ok {
		return labels, true
	}
	return w.assumed, w.assumed != nil
}

// Issuer implements [policy.Surroundings].
func (w *world) Issuer(namespace string, ref policy.IssuerRef, directories acme.Directories) policy.Issuer {
	at := key{namespace, ref.Name}
	switch {
	case ref.External():
		return policy.Issuer{Ref: ref}
	case ref.Kind == string(policy.ClusterIssuer):
		at.namespace = ""
	case ref.Kind != string(policy.IssuerKind) || namespace == "":
		return policy.Issuer{Ref: ref}
	}
	found, ok := w.issuers[at]
	if !ok {
		return policy.Issuer{Ref: ref}
	}
	return found.describe(ref, directories)
}

func (i issuer) describe(ref policy.IssuerRef, directories acme.Directories) policy.Issuer {
	out := policy.NewIssuer(ref, i.object.ACME(), directories)
	if i.status.ACME != nil {
		out.Account = i.status.ACME.URI
	}
	for _, c := range i.status.Conditions {
		if c.Type != cmapi.IssuerConditionReady {
			continue
		}
		if out.Ready = c.Status == cmmeta.ConditionTrue; !out.Ready {
			out.Unready = c.Reason
		}
	}
	return out
}

// StagingIssuer implements [policy.Surroundings].
func (w *world) StagingIssuer(namespace, ca string, directories acme.Directories) *policy.Issuer {
	var inReach []policy.Issuer
	for at, i := range w.issuers {
		if at.namespace == "" || at.namespace == namespace {
			inReach = append(inReach, i.describe(*i.object.Issuer, directories))
		}
	}
	return policy.ChooseStaging(inReach, ca)
}

// NamespacesUsing implements [policy.Surroundings].
func (w *world) NamespacesUsing(ref policy.IssuerRef) []string {
	var out []string
	for _, c := range w.certificates {
		if c.issuer == ref {
			out = append(out, c.namespace)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Writers implements [policy.Surroundings].
func (w *world) Writers(namespace, secret string) []string {
	var names []string
	for _, c := range w.writing(namespace, secret) {
		names = append(names, c.Name)
	}
	return names
}

// DueRenewal implements [policy.Surroundings]. A manifest renews nothing.
func (*world) DueRenewal(string, policy.Renewal, acme.Directories, time.Time) bool { return false }

// IngressClasses implements [policy.Surroundings]: nobody knows those of the cluster.
func (*world) IngressClasses() []string { return nil }

// Users implements [policy.Surroundings]. It is asked for changes alone, and what a manifest changes is not known.
func (*world) Users(string, policy.IssuerRef) []policy.User { return nil }

// Rehearsals implements [policy.Surroundings], as Users does.
func (*world) Rehearsals(string, policy.Kind, string, acme.Directories) []policy.Issuer { return nil }
