package doctor

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kubernetesfake "k8s.io/client-go/kubernetes/fake"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/cluster"
	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// examined is what the doctor says of a cluster that has these objects and no webhook that answers, as one text.
func examined(t *testing.T, objects ...client.Object) string {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, cmapi.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c := &cluster.Cluster{
		Client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{Create: reviewed}).
			WithIndex(&corev1.ConfigMap{}, "metadata.name", func(o client.Object) []string { return []string{o.GetName()} }).Build(),
		Discovery: kubernetesfake.NewClientset().Discovery(), Namespace: "shop",
	}
	parts := 0
	findings, err := Examine(t.Context(), c, "certwire-system", now, func(done, of int) {
		if done != parts || done >= of {
			t.Errorf("%d of %d parts after %d", done, of, parts)
		}
		parts++
	})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Write(&out, findings); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// reviewed answers access reviews: in namespace quiet nothing may be watched, and nobody may ask of namespace secret's.
func reviewed(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
	review, is := o.(*authorizationv1.SubjectAccessReview)
	if !is {
		return c.Create(ctx, o, options...)
	}
	of := review.Spec.ResourceAttributes
	if of.Namespace == "secret" {
		return apierrors.NewForbidden(schema.GroupResource{Resource: "subjectaccessreviews"}, "", errors.New("no"))
	}
	review.Status.Allowed = of.Namespace != "quiet" || of.Verb != "watch"
	return nil
}

// served is an Ingress in a namespace that uses a Certificate's Secret, by a class.
func served(namespace, class string) []client.Object {
	return []client.Object{
		&cmapi.Certificate{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"}, Spec: cmapi.CertificateSpec{SecretName: "web-tls"}},
		&networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"}, Spec: networkingv1.IngressSpec{
			IngressClassName: &class, TLS: []networkingv1.IngressTLS{{SecretName: "web-tls"}},
		}},
		&networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: "nginx"}, Spec: networkingv1.IngressClassSpec{Controller: "k8s.io/ingress-nginx"}},
		&networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: "contour"}, Spec: networkingv1.IngressClassSpec{Controller: "projectcontour.io/projectcontour/contour"}},
		&networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: "own"}, Spec: networkingv1.IngressClassSpec{Controller: "example.com/own"}},
	}
}

func nginx() *appsv1.DaemonSet {
	d := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "ingress-nginx", Name: "controller"}}
	d.Spec.Template.Spec.ServiceAccountName = "ingress-nginx"
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "controller", Image: "registry.k8s.io/ingress-nginx/controller:v1.15.1@sha256:00"}}
	return d
}

func seen(name string, state v1alpha1.DeliveryState, cause string) *v1alpha1.CertificateDelivery {
	return &v1alpha1.CertificateDelivery{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Status: v1alpha1.CertificateDeliveryStatus{State: state, Cause: cause},
	}
}

func delivering() *appsv1.Deployment {
	d := deployed(1, 1)
	d.Spec.Template.Spec.Containers[0].Args = []string{"--delivery"}
	return d
}

func shop(labels map[string]string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: labels}}
}

func deployed(want, have int32) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "certwire-system", Name: "certwire-webhook"}}
	d.Spec.Replicas, d.Status.AvailableReplicas = &want, have
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "webhook", Image: "registry.example/webhook:v1"}}
	return d
}

func configured(bundle []byte) *admissionregistrationv1.MutatingWebhookConfiguration {
	return &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "certwire"},
		Webhooks: []admissionregistrationv1.MutatingWebhook{
			{Name: "a", ClientConfig: admissionregistrationv1.WebhookClientConfig{CABundle: bundle}},
		},
	}
}

func TestExamine(t *testing.T) {
	t.Parallel()
	certificate := &cmapi.Certificate{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: cmapi.CertificateSpec{SecretName: "web-tls"}}
	optedIn := shop(map[string]string{"certwire.dev/reload": "auto"})
	reloader := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "reloader", Name: "reloader-meta-info"}}
	withOptions := func(options string) *corev1.ConfigMap {
		m := reloader.DeepCopy()
		m.Data = map[string]string{"reloaderOptions": options}
		return m
	}
	settings := func(text string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "certwire-system", Name: "certwire"}, Data: map[string]string{
			"config.yaml": "apiVersion: config.certwire.dev/v1alpha1\nkind: Configuration\n" + text,
		}}
	}
	for sentence, c := range map[string]struct {
		objects []client.Object
		want    string
	}{
		"no configuration":                     {nil, "warn  configuration: there is no ConfigMap certwire"},
		"a configuration that is wrong":        {[]client.Object{settings("nonsense: 1\n")}, "fail  configuration: "},
		"a valid one":                          {[]client.Object{settings("issuance: {mode: deny}\n")}, "ok    configuration: it is valid: rules are at deny"},
		"the agent is switched off":            {[]client.Object{settings("agent: {enabled: false}\n")}, "warn  agent: it is switched off"},
		"no server":                            {nil, "fail  server: there is no Deployment certwire-webhook in namespace certwire-system\n      kubectl apply"},
		"no replica is ready":                  {[]client.Object{deployed(2, 0)}, "fail  server: Deployment certwire-system/certwire-webhook has no replica that is ready, of 2"},
		"one replica of two is ready":          {[]client.Object{deployed(2, 1)}, "warn  server: Deployment certwire-system/certwire-webhook has 1 of 2"},
		"all are ready":                        {[]client.Object{deployed(2, 2)}, "ok    server: Deployment certwire-system/certwire-webhook has 2 of 2 replicas ready, and runs registry.example/webhook:v1"},
		"no webhooks":                          {nil, "fail  webhooks: there is no MutatingWebhookConfiguration certwire with webhooks in it"},
		"a webhook without a caBundle":         {[]client.Object{configured(nil)}, "fail  webhooks: 1 of 1 webhooks of MutatingWebhookConfiguration certwire have no caBundle"},
		"a caBundle that is none":              {[]client.Object{configured([]byte("x"))}, "warn  serving certificate: there is no certificate"},
		"an authority that ended":              {[]client.Object{configured(authority(t, now.Add(-time.Hour)))}, "fail  serving certificate: the authority in a caBundle ended on 2026-11-23"},
		"one that was not renewed in time":     {[]client.Object{configured(authority(t, now.AddDate(0, 0, 10)))}, "warn  serving certificate: the authority in a caBundle ends on 2026-12-03"},
		"one that is young, beside an old one": {[]client.Object{configured(append(authority(t, now), authority(t, now.AddDate(1, 0, 0))...))}, "ok    serving certificate: its authority ends on 2027-11-23 (in 365 days)"},
		"no namespace is opted in":             {[]client.Object{shop(nil)}, "warn  reload: could not try: no namespace that you may see is opted in"},
		"no Certificate to try with":           {[]client.Object{optedIn}, "warn  reload: could not try: there is no Certificate that you may see in the namespaces that are opted in (shop)"},
		"nobody mutates":                       {[]client.Object{optedIn, certificate}, "fail  reload: a Deployment that uses Secret web-tls in namespace shop (a dry run) is admitted as it is"},
		"Reloader reloads everything anyway":   {[]client.Object{optedIn, certificate, withOptions(`{"autoReloadAll":true}`)}, "warn  reload: could not try: Reloader reloads everything"},
		"rules are off":                        {[]client.Object{shop(map[string]string{"certwire.dev/issuance": "off"})}, "warn  guard: could not try: rule wildcard-zone is off"},
		"nobody uses a Secret in an Ingress":   {nil, "ok    ingress controllers: no Ingress"},
		"an Ingress of somebody unknown":       {served("shop", "own"), "ok    ingress controllers: no Ingress"},
		"an Ingress controller that may read":  {append(served("shop", "nginx"), nginx()), "ok    ingress controllers: DaemonSet ingress-nginx/controller may read Secrets in the 1 namespaces"},
		"one that may not watch": {append(served("quiet", "nginx"), nginx()),
			"warn  ingress controllers: DaemonSet ingress-nginx/controller may not watch Secrets in namespace quiet, whose Ingresses use a Certificate's: it cannot take up a renewal there\n" +
				"      kubectl auth can-i watch secrets -n quiet --as=system:serviceaccount:ingress-nginx:ingress-nginx\n"},
		"one that may not be asked about": {append(served("secret", "nginx"), nginx()), "warn  ingress controllers: could not ask whether DaemonSet ingress-nginx/controller may read Secrets (it needs create on subjectaccessreviews)"},
		"one that is not found":           {served("shop", "contour"), "warn  ingress controllers: no Deployment or DaemonSet of Contour was found"},
		"deliveries are switched off":     {[]client.Object{deployed(1, 1)}, "warn  deliveries: they are off: Deployment certwire-system/certwire-webhook runs without --delivery"},
		"there are none":                  {[]client.Object{delivering()}, "warn  deliveries: there are none"},
		"all are well":                    {[]client.Object{delivering(), seen("a", "Delivered", ""), seen("b", "Delivered", ""), seen("c", "Unverified", "no-consumer")}, "ok    deliveries: 1 Unverified, 2 Delivered"},
		"one is stale":                    {[]client.Object{delivering(), seen("a", "Delivered", ""), seen("b", "Stale", "partial")}, "warn  deliveries: 1 Stale, 1 Delivered\n      kubectl certwire status -A"},
		"nothing is seen of any":          {[]client.Object{delivering(), seen("a", "Unverified", "unreachable"), seen("b", "Pending", "not-issued")}, "warn  deliveries: nothing is seen of 1 of 2: NetworkPolicies"},
		"no Reloader":                     {nil, "warn  Reloader: it was not found"},
		"a Reloader":                      {[]client.Object{withOptions("{}")}, "ok    Reloader: it is there (ConfigMap reloader/reloader-meta-info)"},
		"a Reloader that ignores Secrets": {[]client.Object{withOptions(`{"resourcesToIgnore":["secrets"]}`)}, "warn  Reloader: ConfigMap reloader/reloader-meta-info: Reloader runs with --resources-to-ignore=secrets"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if out := examined(t, c.objects...); !strings.Contains(out, c.want) {
				t.Errorf("not there: %s\nin: %s", c.want, out)
			}
		})
	}
}

// authority is a certificate that ends at a time, as PEM.
func authority(t *testing.T, end time.Time) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: end.AddDate(-1, 0, 0), NotAfter: end, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestWhatIsReported(t *testing.T) {
	t.Parallel()
	findings := []Finding{{Check: "a", State: OK, Text: "fine"}, {Check: "b", State: Warn, Text: "not quite", Remedy: "do <this>"}}
	if got := ExitCode(findings); got != 0 {
		t.Errorf("a warning: exit code %d", got)
	}
	if got := ExitCode(append(findings, Finding{State: Fail})); got != 1 {
		t.Errorf("a failure: exit code %d", got)
	}
	var out bytes.Buffer
	if err := WriteJSON(&out, findings); err != nil {
		t.Fatal(err)
	}
	var got []Finding
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || len(got) != 2 || got[1] != findings[1] {
		t.Errorf("%v %+v", err, got)
	}
}
