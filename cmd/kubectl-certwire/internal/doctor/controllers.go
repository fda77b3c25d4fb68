package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/cluster"
)

// product is an Ingress controller that is recognised.
type product struct {
	name string
	// classes begin what its IngressClasses have in spec.controller, and images are in its image's name.
	classes, images []string
}

// products are those whose pods certwire looks at. Their words are from their own manifests and charts.
var products = []product{
	{"ingress-nginx", []string{"k8s.io/ingress-nginx"}, []string{"ingress-nginx/controller", "ingress-nginx-controller"}},
	{"Traefik", []string{"traefik.io/ingress-controller"}, []string{"traefik:", "traefik@"}},
	{"HAProxy", []string{"haproxy.org/ingress-controller", "haproxy-ingress.github.io/controller"}, []string{"haproxytech/kubernetes-ingress", "haproxy-ingress"}},
	{"Contour", []string{"projectcontour.io/"}, []string{"projectcontour/contour"}},
}

// Bounds of what is asked.
const (
	maxControllers = 20
	maxNamespaces  = 20
)

// controller is a workload of a product.
type controller struct {
	kind, namespace, name, account string
}

func (c controller) user() string { return "system:serviceaccount:" + c.namespace + ":" + c.account }

// readers asks whether Ingress controllers may read the Secrets that Ingresses have from Certificates: one that may not goes on
// serving what it has, or makes up a certificate.
func (d *doctor) readers(ctx context.Context) {
	const check = "ingress controllers"
	used, err := d.ingressNamespaces(ctx)
	switch {
	case err != nil:
		d.warn(check, "", "could not look at Ingresses and their classes: %s", cluster.Why(err))
		return
	case len(used) == 0:
		d.ok(check, "no Ingress of a controller that is known here uses a Certificate's Secret")
		return
	}
	for _, p := range products {
		namespaces := used[p.name]
		if len(namespaces) == 0 {
			continue
		}
		found, err := d.controllersOf(ctx, p)
		switch {
		case err != nil:
			d.warn(check, "", "could not look for %s: %s", p.name, cluster.Why(err))
		case len(found) == 0:
			d.warn(check, "", "no Deployment or DaemonSet of %s was found, so nobody knows whether it may read Secrets", p.name)
		}
		for _, c := range found {
			d.mayRead(ctx, check, c, namespaces)
		}
	}
}

// ingressNamespaces returns, by product, the namespaces whose Ingresses of its classes use a Certificate's Secret.
func (d *doctor) ingressNamespaces(ctx context.Context) (map[string][]string, error) {
	var ingresses networkingv1.IngressList
	var classes networkingv1.IngressClassList
	var certificates cmapi.CertificateList
	for _, list := range []client.ObjectList{&ingresses, &classes, &certificates} {
		if err := d.cluster.List(ctx, list); err != nil {
			return nil, err
		}
	}
	secrets := map[string]bool{}
	for _, c := range certificates.Items {
		secrets[c.Namespace+"/"+c.Spec.SecretName] = true
	}
	used := map[string][]string{}
	for i := range ingresses.Items {
		in := &ingresses.Items[i]
		p := productOf(in, classes.Items)
		uses := slices.ContainsFunc(in.Spec.TLS, func(t networkingv1.IngressTLS) bool { return secrets[in.Namespace+"/"+t.SecretName] })
		if p != "" && uses && !slices.Contains(used[p], in.Namespace) {
			used[p] = append(used[p], in.Namespace)
		}
	}
	for p := range used {
		slices.Sort(used[p])
	}
	return used, nil
}

// productOf names whose an Ingress is, by its class; empty when that is nobody who is known.
func productOf(in *networkingv1.Ingress, classes []networkingv1.IngressClass) string {
	name := in.Annotations["kubernetes.io/ingress.class"]
	if in.Spec.IngressClassName != nil {
		name = *in.Spec.IngressClassName
	}
	at := slices.IndexFunc(classes, func(c networkingv1.IngressClass) bool {
		return c.Name == name || name == "" && c.Annotations[networkingv1.AnnotationIsDefaultIngressClass] == "true"
	})
	if at < 0 {
		return ""
	}
	for _, p := range products {
		if slices.ContainsFunc(p.classes, func(c string) bool { return strings.HasPrefix(classes[at].Spec.Controller, c) }) {
			return p.name
		}
	}
	return ""
}

// controllersOf finds a product's workloads by their images.
func (d *doctor) controllersOf(ctx context.Context, p product) ([]controller, error) {
	var deployments appsv1.DeploymentList
	var daemons appsv1.DaemonSetList
	if err := d.cluster.List(ctx, &deployments); err != nil {
		return nil, err
	}
	if err := d.cluster.List(ctx, &daemons); err != nil {
		return nil, err
	}
	var out []controller
	add := func(kind, namespace, name string, pod *corev1.PodSpec) {
		runs := slices.ContainsFunc(pod.Containers, func(c corev1.Container) bool {
			return slices.ContainsFunc(p.images, func(image string) bool { return strings.Contains(c.Image, image) })
		})
		if account := pod.ServiceAccountName; runs && len(out) < maxControllers {
			if account == "" {
				account = "default"
			}
			out = append(out, controller{kind, namespace, name, account})
		}
	}
	for i := range deployments.Items {
		add("Deployment", deployments.Items[i].Namespace, deployments.Items[i].Name, &deployments.Items[i].Spec.Template.Spec)
	}
	for i := range daemons.Items {
		add("DaemonSet", daemons.Items[i].Namespace, daemons.Items[i].Name, &daemons.Items[i].Spec.Template.Spec)
	}
	return out, nil
}

// mayRead asks the API server for one controller.
func (d *doctor) mayRead(ctx context.Context, check string, c controller, namespaces []string) {
	who := fmt.Sprintf("%s %s/%s", c.kind, c.namespace, c.name)
	for _, namespace := range namespaces[:min(len(namespaces), maxNamespaces)] {
		for _, verb := range []string{"get", "list", "watch"} {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: c.user(), Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + c.namespace, "system:authenticated"},
				ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Resource: "secrets"},
			}}
			command := fmt.Sprintf("kubectl auth can-i %s secrets -n %s --as=%s", verb, namespace, c.user())
			if err := d.cluster.Create(ctx, review); err != nil {
				d.warn(check, command, "could not ask whether %s may read Secrets (it needs create on subjectaccessreviews): %s", who, cluster.Why(err))
				return
			}
			if !review.Status.Allowed {
				d.warn(check, command, "%s may not %s Secrets in namespace %s, whose Ingresses use a Certificate's: it cannot take up a renewal there", who, verb, namespace)
				return
			}
		}
	}
	d.ok(check, "%s may read Secrets in the %d namespaces whose Ingresses use a Certificate's", who, min(len(namespaces), maxNamespaces))
}
