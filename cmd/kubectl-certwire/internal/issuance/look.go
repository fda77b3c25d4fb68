package issuance

import (
	"context"
	"fmt"
	"slices"
	"strings"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/cluster"
	"github.com/certwire/certwire/pkg/diagnose"
	"github.com/certwire/certwire/pkg/policy"
)

// ParseName reads "certificate/web"; false for another kind.
func ParseName(text string) (name string, ok bool) {
	word, name, ok := strings.Cut(text, "/")
	kinds := []string{"certificate", "certificates", "cert", "certs", "certificate.cert-manager.io", "certificates.cert-manager.io"}
	return name, ok && name != "" && slices.Contains(kinds, strings.ToLower(word))
}

// Look reads a Certificate and what stands around it with the caller's permissions. What cannot be read is noted; it is an
// error only for the Certificate itself.
func Look(ctx context.Context, c client.Reader, namespace, name string) (Seen, error) {
	s := Seen{Objects: diagnose.Objects{Certificate: &cmapi.Certificate{}}}
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, s.Certificate); err != nil {
		return s, fmt.Errorf("reading Certificate %s/%s: %w", namespace, name, err)
	}
	in := client.InNamespace(namespace)
	var certificates cmapi.CertificateList
	s.Hidden.Certificates = s.unseen("the other Certificates of Namespace "+namespace, c.List(ctx, &certificates, in), "whether one has the same Secret is not known")
	s.Certificates = certificates.Items
	var requests cmapi.CertificateRequestList
	s.Hidden.Requests = s.unseen("the CertificateRequests of Namespace "+namespace, c.List(ctx, &requests, in), "whether it was approved, refused or denied is not known")
	s.Requests = requests.Items
	var orders acmeapi.OrderList
	s.Hidden.Orders = s.unseen("the Orders of Namespace "+namespace, c.List(ctx, &orders, in), "what the CA said is not known")
	s.Orders = orders.Items
	s.challenges(ctx, c, namespace)
	s.issuer(ctx, c)
	s.ingresses(ctx, c, namespace)
	return s, nil
}

// unseen notes what could not be read.
func (s *Seen) unseen(what string, err error, instead string) bool {
	if err != nil {
		s.Unseen = append(s.Unseen, fmt.Sprintf("%s (%s): %s", what, cluster.Why(err), instead))
	}
	return err != nil
}

// challenges are those of the cluster, or else those of the namespace.
func (s *Seen) challenges(ctx context.Context, c client.Reader, namespace string) {
	var all acmeapi.ChallengeList
	err := c.List(ctx, &all)
	if err == nil {
		s.Challenges = all.Items
		return
	}
	s.Hidden.Challenges = s.unseen("the Challenges of Namespace "+namespace, c.List(ctx, &all, client.InNamespace(namespace)), "how far the proof of its names has come is not known")
	if s.Challenges = all.Items; !s.Hidden.Challenges {
		s.unseen("the Challenges of other namespaces", err, "whether it waits for one of them is not known")
	}
}

func (s *Seen) issuer(ctx context.Context, c client.Reader) {
	ref := diagnose.Ref(s.Certificate)
	if ref.External() {
		return
	}
	var issuer diagnose.Issuer
	var err error
	switch ref.Kind {
	default:
		return // misspelled: cert-manager finds none, either
	case string(policy.ClusterIssuer):
		var found cmapi.ClusterIssuer
		err = c.Get(ctx, client.ObjectKey{Name: ref.Name}, &found)
		issuer = diagnose.NewIssuer(ref, &found.Spec, &found.Status)
	case string(policy.IssuerKind):
		var found cmapi.Issuer
		err = c.Get(ctx, client.ObjectKey{Namespace: s.Certificate.Namespace, Name: ref.Name}, &found)
		issuer = diagnose.NewIssuer(ref, &found.Spec, &found.Status)
	}
	switch {
	case err == nil:
		s.Issuer = &issuer
	case !apierrors.IsNotFound(err):
		s.Hidden.Issuer = s.unseen(ref.String(), err, "whether it is ready, and what its solvers are, is not known")
	}
}

// ingresses are those of Challenges, and the classes that they can have.
func (s *Seen) ingresses(ctx context.Context, c client.Reader, namespace string) {
	if len(s.Challenges) == 0 {
		return // nobody asks
	}
	var made networkingv1.IngressList
	err := c.List(ctx, &made, client.InNamespace(namespace), client.MatchingLabels{acmeapi.SolverIdentificationLabelKey: "true"})
	if !s.unseen("the Ingresses of Namespace "+namespace, err, "whether a controller serves those of its Challenges is not known") {
		s.Ingresses = append([]networkingv1.Ingress{}, made.Items...)
	}
	var classes networkingv1.IngressClassList
	if !s.unseen("the IngressClasses", c.List(ctx, &classes), "whether its solver's exists is not known") {
		s.Classes = []string{}
		for i := range classes.Items {
			s.Classes = append(s.Classes, classes.Items[i].Name)
		}
	}
}
