package inventory

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/yaml"

	"github.com/certwire/certwire/pkg/mutate"
)

// TestAdmissionAndAdoptionAgree gives every golden workload to the plan twice, decoded from JSON as admission does and
// stripped from the typed object as the cache does: both must want the same.
func TestAdmissionAndAdoptionAgree(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("../mutate/testdata/plan/*/in.yaml")
	if err != nil || len(paths) < 20 {
		t.Fatalf("%d golden workloads, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := yaml.YAMLToJSON(text)
			if err != nil {
				t.Fatal(err)
			}
			admitted, err := mutate.Decode(raw)
			if err != nil {
				t.Fatal(err)
			}
			typed := map[string]any{"Deployment": &appsv1.Deployment{}, "StatefulSet": &appsv1.StatefulSet{}, "DaemonSet": &appsv1.DaemonSet{}}[admitted.Kind]
			if err := json.Unmarshal(raw, typed); err != nil {
				t.Fatal(err)
			}
			stripped, err := strip(typed)
			if err != nil {
				t.Fatal(err)
			}
			cached, ok := stripped.(*Workload)
			if !ok {
				t.Fatalf("stripped to %T", stripped)
			}
			if admitted.Declares() {
				var full mutate.Template
				if err := json.Unmarshal(raw, &full); err != nil {
					t.Fatal(err)
				}
				admitted.Pod = &full.Spec.Template.Spec
			}
			facts := mutate.Facts{
				Agent:     mutate.Agent{Enabled: true, Image: "agent", User: 65532, SharesProcesses: true, MetricsPort: 9402},
				Namespace: "shop", NamespaceLabels: map[string]string{mutate.ReloadLabel: "auto"},
				Certificates: func(secret string) []mutate.Certificate { return []mutate.Certificate{{Name: "c-" + secret}} },
				Reloader:     mutate.NoReloader(),
			}
			a, b := mutate.NewPlan(admitted, facts), mutate.NewPlan(&cached.Workload, facts)
			if diff := cmp.Diff(a.Changes(admitted), b.Changes(&cached.Workload)); diff != "" {
				t.Errorf("admission and adoption want different annotations:\n%s", diff)
			}
			if diff := cmp.Diff(a.Warnings, b.Warnings); diff != "" {
				t.Errorf("admission and adoption warn differently:\n%s", diff)
			}
			if again, err := strip(cached); err != nil || again != any(cached) {
				t.Errorf("stripped twice: %v, %v", again, err)
			}
		})
	}
}

func TestStripKeepsWhatIsAsked(t *testing.T) {
	t.Parallel()
	revision, when := 3, metav1.NewTime(time.Unix(1, 0))
	c := &cmapi.Certificate{
		ObjectMeta: metav1.ObjectMeta{Name: "n", Namespace: "s", Labels: map[string]string{"a": "b"}, ManagedFields: []metav1.ManagedFieldsEntry{{}}},
		Spec: cmapi.CertificateSpec{
			SecretName: "x", DNSNames: []string{"many"}, IssuerRef: cmmeta.IssuerReference{Name: "i"},
			SecretTemplate: &cmapi.CertificateSecretTemplate{Annotations: map[string]string{"a": "b"}},
		},
		Status: cmapi.CertificateStatus{Revision: &revision, NotAfter: &when, RenewalTime: &when, Conditions: []cmapi.CertificateCondition{{Message: "long"}}},
	}
	solvers := []acmeapi.ACMEChallengeSolver{{DNS01: &acmeapi.ACMEChallengeSolverDNS01{}}}
	i := &cmapi.Issuer{
		Spec: cmapi.IssuerSpec{IssuerConfig: cmapi.IssuerConfig{ACME: &acmeapi.ACMEIssuer{
			Server: "https://x", Profile: "p", Solvers: solvers, Email: "who@example.com", CABundle: []byte("long"),
		}}},
		Status: cmapi.IssuerStatus{
			ACME:       &acmeapi.ACMEIssuerStatus{URI: "https://x/acct/1", LastRegisteredEmail: "who@example.com"},
			Conditions: []cmapi.IssuerCondition{{Type: "Other"}, {Type: cmapi.IssuerConditionReady, Status: cmmeta.ConditionTrue, Reason: "r", Message: "long"}},
		},
	}
	for _, pair := range [][2]any{
		{c, &cmapi.Certificate{
			ObjectMeta: metav1.ObjectMeta{Name: "n", Namespace: "s"},
			Spec:       cmapi.CertificateSpec{SecretName: "x", IssuerRef: cmmeta.IssuerReference{Name: "i"}, SecretTemplate: c.Spec.SecretTemplate},
			Status:     cmapi.CertificateStatus{Revision: &revision, NotAfter: &when, RenewalTime: &when},
		}},
		{i, &cmapi.Issuer{
			Spec: cmapi.IssuerSpec{IssuerConfig: cmapi.IssuerConfig{ACME: &acmeapi.ACMEIssuer{Server: "https://x", Profile: "p", Solvers: solvers}}},
			Status: cmapi.IssuerStatus{
				ACME:       &acmeapi.ACMEIssuerStatus{URI: "https://x/acct/1"},
				Conditions: []cmapi.IssuerCondition{{Type: cmapi.IssuerConditionReady, Status: cmmeta.ConditionTrue, Reason: "r"}},
			},
		}},
		{&cmapi.ClusterIssuer{Spec: cmapi.IssuerSpec{IssuerConfig: cmapi.IssuerConfig{SelfSigned: &cmapi.SelfSignedIssuer{}}}}, &cmapi.ClusterIssuer{}},
		{
			&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"c": "d"}, ManagedFields: []metav1.ManagedFieldsEntry{{}}}},
			&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{"a": "b"}}},
		},
		{toolscache.DeletedFinalStateUnknown{Key: "k"}, toolscache.DeletedFinalStateUnknown{Key: "k"}},
	} {
		got, err := strip(pair[0])
		if err != nil || !reflect.DeepEqual(got, pair[1]) {
			t.Errorf("got %+v, %v\nwant %+v", got, err, pair[1])
		}
	}
}

func TestShortAnnotations(t *testing.T) {
	t.Parallel()
	long := string(make([]byte, 2000))
	got, unknown := shortAnnotations(map[string]string{
		"certwire.dev/status": long, "corp.example/reload": long, "big.example/x": long, "a": "b",
		"kubectl.kubernetes.io/last-applied-configuration": "{}", "deployment.kubernetes.io/revision": "1",
	})
	if diff := cmp.Diff(map[string]string{"certwire.dev/status": long, "corp.example/reload": long, "a": "b"}, got); diff != "" {
		t.Error(diff)
	}
	if len(unknown) != 1 || unknown[0] != "big.example/x" {
		t.Errorf("unknown: %v", unknown)
	}
	if kept, _ := shortAnnotations(nil); kept != nil {
		t.Error("no annotations became some")
	}
}

func TestWhatTheCacheDoesNotKnowIsSaid(t *testing.T) {
	t.Parallel()
	keys := mutate.DefaultKeys()
	keys.Reload = "corp.example/restart-on"
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
		Annotations: map[string]string{keys.Reload: string(make([]byte, 2000)), "a": "b", "mine": "x"},
		ManagedFields: []metav1.ManagedFieldsEntry{
			{Operation: metav1.ManagedFieldsOperationUpdate, FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:annotations":{"f:a":{}}}}`)},
			{Operation: metav1.ManagedFieldsOperationApply, FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:annotations":{"f:mine":{}}}}`)},
		},
	}}
	stripped, err := strip(d)
	w, ok := stripped.(*Workload)
	if err != nil || !ok {
		t.Fatal(stripped, err)
	}
	if !w.Blind(keys) || w.Blind(mutate.DefaultKeys()) {
		t.Error("the cache does not say that it left out a renamed list")
	}
	if w.Applied("a") || !w.Applied("mine") {
		t.Error("who owns an annotation is not known")
	}
}

func TestReloaderIsRecognisedByItsImage(t *testing.T) {
	t.Parallel()
	for image, want := range map[string]bool{
		"ghcr.io/stakater/reloader:v1.4.21": true, "mirror.example:5000/x/stakater/reloader@sha256:0": true,
		"jimmidyson/configmap-reload:v0.9": false, "": false,
	} {
		d := &appsv1.Deployment{}
		d.Spec.Template.Spec.Containers = []corev1.Container{{Image: image}}
		if got := isReloader(d); got != want {
			t.Errorf("%q: %v", image, got)
		}
	}
}
