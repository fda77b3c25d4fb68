package explain

import (
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/certwire/certwire/pkg/config"
	"github.com/certwire/certwire/pkg/mutate"
)

// Object is what is explained.
type Object struct {
	Kind, Namespace, Name string
	JSON                  []byte
	// Stored is false for one that only stands in a file.
	Stored bool
}

// String is how people name it.
func (o Object) String() string { return o.Kind + " " + o.Namespace + "/" + o.Name }

// Facts are its surroundings, as far as the caller may see them.
type Facts struct {
	// Labels are the namespace's.
	Labels map[string]string
	// Certificates are those of the namespace.
	Certificates []cmapi.Certificate
	// Reloader is the cluster's, ReloaderAt where it was found.
	Reloader   mutate.Reloader
	ReloaderAt string
	Features   mutate.Features
	Limits     []corev1.LimitRangeItem
	Settings   *config.Settings
	// Owner is the value of certwire.dev/reload on the workload that a Pod belongs to.
	Owner string
	// Pods are a workload's.
	Pods []corev1.Pod
	// Unseen says what could not be read and what is assumed instead, one sentence each.
	Unseen []string
	// CertificatesUnseen is true when nobody knows the Certificates.
	CertificatesUnseen bool
}

// plan turns the facts into those of a plan.
func (f *Facts) plan(o Object) mutate.Facts {
	return mutate.Facts{
		Namespace: o.Namespace, NamespaceLabels: f.Labels,
		Certificates: func(secret string) []mutate.Certificate {
			var out []mutate.Certificate
			for _, c := range f.writing(secret) {
				kept := mutate.Certificate{Name: c.Name}
				if t := c.Spec.SecretTemplate; t != nil {
					kept.SecretLabels, kept.SecretAnnotations = t.Labels, t.Annotations
				}
				out = append(out, kept)
			}
			return out
		},
		Reloader: f.Reloader, Agent: f.Settings.Agent, Features: f.Settings.Features(f.Features), Owner: f.Owner, Limits: f.Limits,
		Kept: o.Stored && o.Kind != "Pod", // as adoption plans: nothing rolls out because somebody asks
	}
}

// writing are the Certificates that write to a Secret.
func (f *Facts) writing(secret string) []cmapi.Certificate {
	var out []cmapi.Certificate
	for _, c := range f.Certificates {
		if c.Spec.SecretName == secret {
			out = append(out, c)
		}
	}
	return out
}

// Explanation is the outcome: sentences.
type Explanation struct {
	// Object is "Deployment shop/web".
	Object string `json:"object"`
	// Enrolled is true when certwire sees to it that renewals are taken up, or knows that the server does so itself.
	Enrolled bool `json:"enrolled"`
	// Reason is the plan's, in one word.
	Reason string `json:"reason"`
	// Why says what decides.
	Why []string `json:"why"`
	// Next says what will happen at the next renewal.
	Next []string `json:"next"`
	// Warnings are the plan's.
	Warnings []string `json:"warnings,omitempty"`
	// Unseen is what could not be read.
	Unseen []string `json:"unseen,omitempty"`
}
