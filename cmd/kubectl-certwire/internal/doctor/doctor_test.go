package doctor

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubernetesfake "k8s.io/client-go/kubernetes/fake"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

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
		Client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
			WithIndex(&corev1.ConfigMap{}, "metadata.name", func(o client.Object) []string { return []string{o.GetName()} }).Build(),
		Discovery: kubernetesfake.NewClientset().Discovery(), Namespace: "shop",
	}
	findings, err := Examine(t.Context(), c, "certwire-system", now)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Write(&out, findings); err != nil {
		t.Fatal(err)
	}
	return out.String()
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
		"no Reloader":                          {nil, "warn  Reloader: it was not found"},
		"a Reloader":                           {[]client.Object{withOptions("{}")}, "ok    Reloader: it is there (ConfigMap reloader/reloader-meta-info)"},
		"a Reloader that ignores Secrets":      {[]client.Object{withOptions(`{"resourcesToIgnore":["secrets"]}`)}, "warn  Reloader: ConfigMap reloader/reloader-meta-info: Reloader runs with --resources-to-ignore=secrets"},
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
