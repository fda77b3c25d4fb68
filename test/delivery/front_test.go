package delivery

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/test/harness"
	"github.com/certwire/certwire/test/pki"
)

// No real Ingress controller or Gateway can be had as a Go module or from Debian. What plays one is a TLS server in a
// namespace of its own, behind a Service with the address that the Ingress has in its status: all that certwire sees of a
// controller. It serves what the test puts into a ConfigMap there, as a controller does that has read the right Secret, one
// from before, or none; what is in no Secret is no copy of one.

// controller runs pods that serve a certificate, behind a Service with an address, in a namespace of their own.
func (r *rig) controller(address string, secret *corev1.Secret, labels map[string]string) *rig {
	r.t.Helper()
	ns, err := cluster.Client.CoreV1().Namespaces().Create(r.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "front-"}}, metav1.CreateOptions{})
	r.must(err)
	r.t.Cleanup(func() {
		_ = cluster.Client.CoreV1().Namespaces().Delete(context.Background(), ns.Name, metav1.DeleteOptions{})
	})
	c := &rig{t: r.t, namespace: ns.Name}
	c.eventually("the namespace's ServiceAccount", func(ctx context.Context) error {
		_, err := cluster.Client.CoreV1().ServiceAccounts(ns.Name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	c.hold(secret)
	c.deploy("controller", server{from: "once", replicas: 1, port: 8443, configMap: true})
	c.service("controller", address, labels)
	return c
}

// hold puts a certificate where the pods of a namespace mount it.
func (r *rig) hold(of *corev1.Secret) {
	r.t.Helper()
	holder := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: secretName}, Data: map[string]string{
		corev1.TLSCertKey: string(of.Data[corev1.TLSCertKey]), corev1.TLSPrivateKeyKey: string(of.Data[corev1.TLSPrivateKeyKey]),
	}}
	if _, err := cluster.Client.CoreV1().ConfigMaps(r.namespace).Create(r.t.Context(), holder, metav1.CreateOptions{}); err == nil {
		return
	}
	_, err := cluster.Client.CoreV1().ConfigMaps(r.namespace).Update(r.t.Context(), holder, metav1.UpdateOptions{})
	r.must(err)
}

// restart replaces the pods of a namespace, and waits for the new ones.
func (r *rig) restart() {
	r.t.Helper()
	before, err := r.pods(r.t.Context())
	r.must(err)
	r.must(cluster.Client.CoreV1().Pods(r.namespace).DeleteCollection(r.t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "test=delivery"}))
	r.eventually("new pods", func(ctx context.Context) error {
		after, err := r.pods(ctx)
		if err == nil && (len(after) != len(before) || after[0].UID == before[0].UID) {
			err = fmt.Errorf("there are %d", len(after))
		}
		return err
	})
}

// service puts pods behind a Service with port 443. With an address, it is one of a load balancer, which the test plays.
func (r *rig) service(app, address string, labels map[string]string) {
	r.t.Helper()
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: app, Labels: labels},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": app}, Ports: []corev1.ServicePort{{Name: "https", Port: 443, TargetPort: intstr.FromInt32(8443)}},
		},
	}
	if address != "" {
		s.Spec.Type = corev1.ServiceTypeLoadBalancer
	}
	s, err := cluster.Client.CoreV1().Services(r.namespace).Create(r.t.Context(), s, metav1.CreateOptions{})
	r.must(err)
	if address != "" {
		s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: address}}
		_, err = cluster.Client.CoreV1().Services(r.namespace).UpdateStatus(r.t.Context(), s, metav1.UpdateOptions{})
		r.must(err)
	}
}

// ingress makes one for the Certificate's Secret, with the address that a controller would write.
func (r *rig) ingress(address string) {
	r.t.Helper()
	host := "web." + r.namespace + ".example.com"
	i, err := cluster.Client.NetworkingV1().Ingresses(r.namespace).Create(r.t.Context(), &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: networkingv1.IngressSpec{
			TLS: []networkingv1.IngressTLS{{Hosts: []string{host}, SecretName: secretName}},
			DefaultBackend: &networkingv1.IngressBackend{
				Service: &networkingv1.IngressServiceBackend{Name: "web", Port: networkingv1.ServiceBackendPort{Number: 80}},
			},
		},
	}, metav1.CreateOptions{})
	r.must(err)
	i.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: address}}
	_, err = cluster.Client.NetworkingV1().Ingresses(r.namespace).UpdateStatus(r.t.Context(), i, metav1.UpdateOptions{})
	r.must(err)
}

// secret is the Certificate's.
func (r *rig) secret() *corev1.Secret {
	r.t.Helper()
	s, err := cluster.Client.CoreV1().Secrets(r.namespace).Get(r.t.Context(), secretName, metav1.GetOptions{})
	r.must(err)
	return s
}

func asSecret(p pki.Pair) *corev1.Secret {
	return &corev1.Secret{Data: map[string][]byte{corev1.TLSCertKey: p.CertPEM(), corev1.TLSPrivateKeyKey: p.KeyPEM()}}
}

// names is whether the first of a delivery's endpoints is of a controller, and is in a state, of which a message tells.
func (r *rig) names(by *rig, state, message string) func(status) bool {
	host := "8443=web." + r.namespace + ".example.com"
	return func(s status) bool {
		e := s.Endpoints[0]
		return e.Namespace == by.namespace && strings.HasPrefix(e.Pod, "controller-") && e.Port == host && e.State == state &&
			s.Layer == "front" && strings.Contains(s.Message, message) && strings.Contains(s.Message, by.namespace+"/"+e.Pod)
	}
}

func TestAnIngressControllerThatServesItsFakeCertificateIsFound(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	r.ingress("203.0.113.1")
	r.becomes(1, v1alpha1.DeliveryUnverified, "no-controller", "0/1", func(s status) bool {
		return s.Endpoints[0].For == "Ingress/web" && s.Layer == "front" && strings.Contains(s.Message, "203.0.113.1")
	})
	// As ingress-nginx makes one up (internal/net/ssl/ssl.go).
	fake := pki.SelfSigned(t, []string{"ingress.local"}, pki.CommonName("Kubernetes Ingress Controller Fake Certificate"))
	c := r.controller("203.0.113.1", asSecret(fake), nil)
	r.becomes(1, v1alpha1.DeliveryStale, "default-certificate", "0/1", r.names(c, "default", "Ingress/web"))
	// Somebody mends it.
	c.hold(r.secret())
	c.restart()
	r.becomes(1, v1alpha1.DeliveryDelivered, "", "1/1")
}

func TestAnIngressControllerThatKeepsTheLastCertificateIsFound(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	r.ingress("203.0.113.2")
	c := r.controller("203.0.113.2", r.secret(), nil)
	r.becomes(1, v1alpha1.DeliveryDelivered, "", "1/1")
	r.renew()
	r.becomes(2, v1alpha1.DeliveryStale, "controller-stale", "0/1", r.names(c, "previous", "has not taken up the Secret"))
	c.hold(r.secret())
	c.restart()
	r.becomes(2, v1alpha1.DeliveryDelivered, "", "1/1")
}

// The CRDs of the Gateway API come when certwire has long begun.
func TestAGatewayIsLookedAt(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	out, err := exec.CommandContext(t.Context(), "go", "list", "-C", harness.Root(), "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	r.must(err)
	crds := filepath.Join(strings.TrimSpace(string(out)), "config", "crd", "standard")
	for _, name := range []string{"gateways", "listenersets", "referencegrants"} {
		_, err := cluster.Kubectl(t.Context(), "", "apply", "--server-side", "-f", filepath.Join(crds, "gateway.networking.k8s.io_"+name+".yaml"))
		r.must(err)
	}
	c := r.controller("203.0.113.3", r.secret(), map[string]string{"gateway.networking.k8s.io/gateway-name": "edge"})
	gateway := func(namespace, listener string) {
		r.eventually("the Gateway", func(ctx context.Context) error {
			_, err := cluster.Kubectl(ctx, fmt.Sprintf(`{"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{"name":"edge","namespace":%q},
				"spec":{"gatewayClassName":"test","listeners":[{"name":"https","port":443,"protocol":"HTTPS","hostname":"web.%s.example.com",
				"tls":{"certificateRefs":[%s]}}]}}`, namespace, r.namespace, listener), "apply", "-f", "-")
			return err
		})
	}
	gateway(c.namespace, fmt.Sprintf(`{"name":%q,"namespace":%q}`, secretName, r.namespace))
	r.becomes(1, v1alpha1.DeliveryUnverified, "no-consumer", "0/0") // for there is no grant
	_, err = cluster.Kubectl(t.Context(), fmt.Sprintf(`{"apiVersion":"gateway.networking.k8s.io/v1beta1","kind":"ReferenceGrant",
		"metadata":{"name":"edge","namespace":%q},"spec":{"from":[{"group":"gateway.networking.k8s.io","kind":"Gateway","namespace":%q}],
		"to":[{"group":"","kind":"Secret"}]}}`, r.namespace, c.namespace), "apply", "-f", "-")
	r.must(err)
	r.becomes(1, v1alpha1.DeliveryDelivered, "", "1/1", func(s status) bool {
		return s.Endpoints[0].For == "Gateway/"+c.namespace+"/edge" && s.Endpoints[0].Namespace == c.namespace
	})
	r.renew()
	r.becomes(2, v1alpha1.DeliveryStale, "controller-stale", "0/1", r.names(c, "previous", "Gateway/"+c.namespace+"/edge"))
}

// hook runs a server that the API server calls, behind a Service, with a Certificate for the Service's name.
func hook(t *testing.T) *rig {
	t.Helper()
	r := prepareAs(t, func(c *cmapi.Certificate) {
		// An ACME server proves no name of the cluster's own.
		r := &rig{t: t, namespace: c.Namespace}
		r.must(objects.Create(t.Context(), &cmapi.Issuer{
			ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: "self"},
			Spec:       cmapi.IssuerSpec{IssuerConfig: cmapi.IssuerConfig{SelfSigned: &cmapi.SelfSignedIssuer{}}},
		}))
		c.Spec.IssuerRef = cmmeta.IssuerReference{Name: "self", Kind: cmapi.IssuerKind}
		c.Spec.DNSNames = []string{"hook." + c.Namespace + ".svc"}
	})
	r.deploy("hook", server{from: "watch", replicas: 1, port: 8443})
	r.service("hook", "", nil)
	return r
}

// another is a caBundle that does not fit.
func another(t *testing.T) []byte {
	t.Helper()
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pki.NewAuthority(t).Root.Raw})
}

// distrusts is whether the first of a delivery's endpoints is of a caller whose caBundle does not fit.
func distrusts(caller string) func(status) bool {
	return func(s status) bool {
		e := s.Endpoints[0]
		return e.State == "untrusted" && e.For == caller && s.Layer == "front" && strings.Contains(s.Message, "the caBundle of "+caller)
	}
}

func TestACABundleThatDoesNotFitIsFound(t *testing.T) {
	t.Parallel()
	r := hook(t)
	hooks := cluster.Client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	config, err := hooks.Create(t.Context(), &admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: r.namespace},
		Webhooks: []admissionv1.ValidatingWebhook{{
			Name: "checks.example.com", AdmissionReviewVersions: []string{"v1"}, SideEffects: new(admissionv1.SideEffectClassNone),
			FailurePolicy: new(admissionv1.Ignore),
			Rules: []admissionv1.RuleWithOperations{{
				Operations: []admissionv1.OperationType{admissionv1.Create},
				Rule:       admissionv1.Rule{APIGroups: []string{"nobody.example.com"}, APIVersions: []string{"v1"}, Resources: []string{"things"}},
			}},
			ClientConfig: admissionv1.WebhookClientConfig{
				Service: &admissionv1.ServiceReference{Namespace: r.namespace, Name: "hook"}, CABundle: r.secret().Data[corev1.TLSCertKey],
			},
		}},
	}, metav1.CreateOptions{})
	r.must(err)
	t.Cleanup(func() { _ = hooks.Delete(context.Background(), r.namespace, metav1.DeleteOptions{}) })
	r.becomes(1, v1alpha1.DeliveryDelivered, "", "2/2")

	config.Webhooks[0].ClientConfig.CABundle = another(t)
	_, err = hooks.Update(t.Context(), config, metav1.UpdateOptions{})
	r.must(err)
	r.becomes(1, v1alpha1.DeliveryStale, "ca-bundle", "1/2", distrusts("ValidatingWebhookConfiguration/"+r.namespace))
}

func TestAConversionWebhookWhoseCABundleDoesNotFitIsFound(t *testing.T) {
	t.Parallel()
	r := hook(t)
	group := r.namespace + ".example.com"
	define := func(bundle []byte) {
		_, err := cluster.Kubectl(t.Context(), fmt.Sprintf(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
			"metadata":{"name":"things.%[1]s"},"spec":{"group":%[1]q,"scope":"Namespaced","names":{"kind":"Thing","plural":"things"},
			"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object"}}}],
			"conversion":{"strategy":"Webhook","webhook":{"conversionReviewVersions":["v1"],
			"clientConfig":{"service":{"namespace":%[2]q,"name":"hook"},"caBundle":%[3]q}}}}}`,
			group, r.namespace, base64.StdEncoding.EncodeToString(bundle)), "apply", "-f", "-")
		r.must(err)
	}
	define(another(t))
	t.Cleanup(func() {
		_, _ = cluster.Kubectl(context.Background(), "", "delete", "crd", "things."+group, "--wait=false")
	})
	r.becomes(1, v1alpha1.DeliveryStale, "ca-bundle", "1/2", distrusts("CustomResourceDefinition/things."+group))
	define(r.secret().Data[corev1.TLSCertKey])
	r.becomes(1, v1alpha1.DeliveryDelivered, "", "2/2")
}
