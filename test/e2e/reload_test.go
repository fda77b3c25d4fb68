package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"
)

func TestWorkloadsGetTheAnnotation(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "certwire.dev/reload=auto")
	mustApply(t, ns, certificate("web", "web-tls"))
	known(t, ns, "web-tls")
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet"} {
		text := `
apiVersion: apps/v1
kind: ` + kind + `
metadata: {name: web, annotations: {example.com/kept: "yes"}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: registry.example/web:1}]
      volumes: [{name: tls, secret: {secretName: web-tls}}]
`
		// Dry-run is answered the same way, and leaves nothing behind.
		dry := mustApply(t, ns, text, "--dry-run=server", "-o", "yaml")
		contains(t, dry, reloadKey+": web-tls", statusKey)
		if out, err := cluster.Kubectl(t.Context(), "", "get", kind, "web", "-n", ns); err == nil {
			t.Errorf("dry-run left a %s: %s", kind, out)
		}

		out := mustApply(t, ns, text)
		contains(t, out, "Warning: the reload annotation for Secret web-tls has no effect: Reloader was not found in this cluster")
		annotations := kubectl(t, "get", kind, "web", "-n", ns, "-o", "jsonpath={.metadata.annotations}")
		contains(t, annotations, `"`+reloadKey+`":"web-tls"`, `"example.com/kept":"yes"`, `Certificate web writes Secret web-tls`)

		// Applied again, nothing changes.
		before := kubectl(t, "get", kind, "web", "-n", ns, "-o", "jsonpath={.metadata.generation} {.metadata.annotations}")
		mustApply(t, ns, text)
		if after := kubectl(t, "get", kind, "web", "-n", ns, "-o", "jsonpath={.metadata.generation} {.metadata.annotations}"); after != before {
			t.Errorf("the second apply changes something:\n%s\n%s", before, after)
		}
		// The warning still holds, and is to be had without a change.
		stored := kubectl(t, "get", kind, "web", "-n", ns, "-o", "yaml")
		again, err := cluster.Kubectl(t.Context(), stored, "replace", "--dry-run=server", "-f", "-")
		if err != nil {
			t.Fatal(err)
		}
		contains(t, again, "Warning: the reload annotation for Secret web-tls has no effect")
	}
}

func TestOursGoesWithTheLastReference(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "certwire.dev/reload=auto")
	mustApply(t, ns, certificate("web", "web-tls"))
	known(t, ns, "web-tls")
	d := deployment("web", "web-tls")
	d.Annotations = map[string]string{reloadKey: "other"}
	if got := create(t, ns, d).Annotations[reloadKey]; got != "other,web-tls" {
		t.Fatalf("annotation %q", got)
	}
	out, err := cluster.Client.AppsV1().Deployments(ns).Patch(t.Context(), "web", types.JSONPatchType,
		[]byte(`[{"op":"remove","path":"/spec/template/spec/volumes"}]`), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if a := out.Annotations; a[reloadKey] != "other" || a[statusKey] != "" {
		t.Errorf("left behind: %v", a)
	}
}

func TestADeploymentBeforeItsCertificateIsAdopted(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "certwire.dev/reload=auto")
	before := create(t, ns, deployment("web", "web-tls"))
	if before.Annotations[reloadKey] != "" {
		t.Fatalf("annotated without a Certificate: %v", before.Annotations)
	}
	mustApply(t, ns, certificate("web", "web-tls"))
	eventually(t, "the Deployment is adopted", func() bool { return get(t, ns, "web").Annotations[reloadKey] == "web-tls" })
	after := get(t, ns, "web")
	// A Deployment's generation also counts changes of annotations; the spec and the revision tell of a rollout.
	if diff := cmp.Diff(before.Spec, after.Spec); diff != "" {
		t.Errorf("adoption changed the spec:\n%s", diff)
	}
	if revision := after.Annotations["deployment.kubernetes.io/revision"]; revision != "" && revision != "1" {
		t.Errorf("adoption rolled out: revision %s", revision)
	}

	// And back, when the Certificate goes.
	kubectl(t, "delete", "certificate", "web", "-n", ns)
	eventually(t, "ours is taken away", func() bool {
		a := get(t, ns, "web").Annotations
		return a[reloadKey] == "" && a[statusKey] == ""
	})
}

// TestAdoptionTakesNothingAway gives adoption what its cache cannot or must not decide: a list that is longer than what it
// keeps, and one that the user owns by server-side apply.
func TestAdoptionTakesNothingAway(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "certwire.dev/reload=auto")
	var long []string
	for i := range 100 {
		long = append(long, fmt.Sprintf("some-other-secret-%d", i))
	}
	d := deployment("long", "web-tls")
	d.Annotations = map[string]string{reloadKey: strings.Join(long, ",")}
	create(t, ns, d)
	applied := deploymentText("applied", "{"+reloadKey+": mine}")
	mustApply(t, ns, applied, "--server-side")
	create(t, ns, deployment("plain", "web-tls"))
	mustApply(t, ns, certificate("web", "web-tls"))
	eventually(t, "the others are adopted", func() bool {
		return get(t, ns, "plain").Annotations[reloadKey] == "web-tls" &&
			get(t, ns, "long").Annotations[reloadKey] == strings.Join(append(long, "web-tls"), ",")
	})
	if got := get(t, ns, "applied").Annotations[reloadKey]; got != "mine" {
		t.Errorf("adoption took ownership of an applied annotation: %q", got)
	}
	mustApply(t, ns, applied, "--server-side") // no conflict, and now the hook sees it
	if got := get(t, ns, "applied").Annotations[reloadKey]; got != "mine,web-tls" {
		t.Errorf("the hook did not append: %q", got)
	}
	mustApply(t, ns, applied, "--server-side")
}

func TestTheLabelComesAndGoes(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	mustApply(t, ns, certificate("web", "web-tls"))
	d := deployment("web", "web-tls")
	d.Annotations = map[string]string{reloadKey: "mine"}
	if got := create(t, ns, d).Annotations[reloadKey]; got != "mine" {
		t.Fatalf("touched without the label: %q", got)
	}
	off := deployment("opted-out", "web-tls")
	off.Labels = map[string]string{"certwire.dev/reload": "off"}
	create(t, ns, off)

	kubectl(t, "label", "namespace", ns, "certwire.dev/reload=auto")
	eventually(t, "the older Deployment is adopted", func() bool { return get(t, ns, "web").Annotations[reloadKey] == "mine,web-tls" })
	if a := get(t, ns, "opted-out").Annotations; a[reloadKey] != "" {
		t.Errorf("the Deployment that opted out was adopted: %v", a)
	}
	kubectl(t, "label", "namespace", ns, "certwire.dev/reload-")
	eventually(t, "ours is taken away, the user's stays", func() bool {
		a := get(t, ns, "web").Annotations
		return a[reloadKey] == "mine" && a[statusKey] == ""
	})
}

func TestALabelledWorkloadInAnUnlabelledNamespace(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	mustApply(t, ns, certificate("web", "web-tls"))
	d := deployment("web", "web-tls")
	d.Labels = map[string]string{"certwire.dev/reload": "auto"}
	create(t, ns, d)
	eventually(t, "it is annotated", func() bool { return get(t, ns, "web").Annotations[reloadKey] == "web-tls" })
	// By the hook as well, not by adoption alone.
	d = deployment("again", "web-tls")
	d.Labels = map[string]string{"certwire.dev/reload": "auto"}
	if got := create(t, ns, d).Annotations[reloadKey]; got != "web-tls" {
		t.Errorf("the hook was not called: %q", got)
	}
}

// TestGoldenWorkloads sends every golden case through the real API server: patches apply, and what it stores has the
// annotations that the golden file wants. Cases with the same surroundings share a namespace.
func TestGoldenWorkloads(t *testing.T) {
	t.Parallel()
	cases, err := filepath.Glob("../../pkg/mutate/testdata/plan/*/in.yaml")
	if err != nil || len(cases) < 20 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	namespaces := map[string]string{}
	for _, path := range cases {
		dir := filepath.Dir(path)
		facts := `{"namespaceLabels": {"certwire.dev/reload": "auto"}, "certificates": {"web-tls": [{"name": "web"}]}}`
		if text, err := os.ReadFile(filepath.Join(dir, "facts.yaml")); err == nil {
			facts = string(text)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		optedIn := strings.Contains(facts, "certwire.dev/reload: auto") || strings.Contains(facts, `"certwire.dev/reload": "auto"`)
		switch {
		case strings.Contains(facts, "reloader:"):
			continue // needs a Reloader of its own, see TestReloaderIsRead
		case strings.Contains(facts, "agent:"), strings.Contains(facts, "features:"), strings.Contains(facts, "kept:"):
			continue // needs another configuration or older nodes
		case strings.Contains(string(text), "deletionTimestamp:"):
			continue // cannot be created
		case !optedIn && strings.Contains(string(text), statusKey):
			continue // no hook is called there: adoption undoes it, see TestTheLabelComesAndGoes
		}
		if namespaces[facts] == "" {
			namespaces[facts] = surroundings(t, facts)
		}
		t.Run(filepath.Base(dir), func(t *testing.T) { goldenThroughServer(t, namespaces[facts], dir) })
	}
}

// surroundings makes a namespace with the labels and Certificates of a golden case, and waits until they are known.
func surroundings(t *testing.T, text string) string {
	t.Helper()
	var facts struct {
		NamespaceLabels map[string]string
		Certificates    map[string][]struct {
			Name                            string
			SecretAnnotations, SecretLabels map[string]string
		}
	}
	if err := yaml.UnmarshalStrict([]byte(text), &facts); err != nil {
		t.Fatal(err)
	}
	ns := namespace(t, "certwire.dev/reload=auto")
	for secret, certs := range facts.Certificates {
		for _, c := range certs {
			raw, err := json.Marshal(map[string]any{"labels": c.SecretLabels, "annotations": c.SecretAnnotations})
			if err != nil {
				t.Fatal(err)
			}
			mustApply(t, ns, certificate(c.Name, secret)+"  secretTemplate: "+string(raw)+"\n")
		}
		if len(certs) == 1 && certs[0].SecretAnnotations["reloader.stakater.com/ignore"] == "" &&
			certs[0].SecretAnnotations["reloader.stakater.com/match"] == "" {
			known(t, ns, secret)
		}
	}
	switch label := facts.NamespaceLabels["certwire.dev/reload"]; label {
	case "auto":
	case "":
		kubectl(t, "label", "namespace", ns, "certwire.dev/reload-")
	default:
		kubectl(t, "label", "namespace", ns, "certwire.dev/reload="+label, "--overwrite")
	}
	return ns
}

func goldenThroughServer(t *testing.T, ns, dir string) {
	t.Helper()
	in, want := readObject(t, filepath.Join(dir, "in.yaml")), readObject(t, filepath.Join(dir, "want.yaml"))
	complete(in, ns)
	complete(want, ns)
	resource := appsv1.SchemeGroupVersion.WithResource(strings.ToLower(in["kind"].(string)) + "s")
	client, err := dynamic.NewForConfig(cluster.Rest)
	if err != nil {
		t.Fatal(err)
	}
	wanted := ours(want)
	diff := ""
	defer func() {
		if t.Failed() {
			t.Log(diff)
		}
	}()
	eventually(t, "the API server stores what the golden file wants", func() bool {
		out, err := client.Resource(resource).Namespace(ns).Create(t.Context(), &unstructured.Unstructured{Object: in},
			metav1.CreateOptions{DryRun: []string{"All"}, FieldValidation: "Strict"})
		if err != nil {
			t.Fatal(err)
		}
		diff = cmp.Diff(wanted, ours(out.Object))
		return diff == ""
	})
}

func readObject(t *testing.T, path string) map[string]any {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err = yaml.YAMLToJSON(raw); err != nil {
		t.Fatal(err)
	}
	var object unstructured.Unstructured
	if err := object.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return object.Object
}

// complete makes a golden workload one that can be created: what only a server writes goes, what it insists on comes.
func complete(object map[string]any, ns string) {
	meta, _ := object["metadata"].(map[string]any)
	meta["namespace"] = ns
	for _, key := range []string{"resourceVersion", "uid", "deletionTimestamp", "managedFields", "generation", "creationTimestamp"} {
		delete(meta, key)
	}
	delete(object, "status")
	spec, _ := object["spec"].(map[string]any)
	template, _ := spec["template"].(map[string]any)
	templateMeta, _ := template["metadata"].(map[string]any)
	if spec["selector"] == nil {
		spec["selector"] = map[string]any{"matchLabels": templateMeta["labels"]}
	}
}

// ours are the annotations that certwire may write, without the version in the status.
func ours(object map[string]any) map[string]string {
	meta, _ := object["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	out := map[string]string{}
	for _, key := range []string{reloadKey, statusKey} {
		value, ok := annotations[key].(string)
		if !ok {
			continue
		}
		var status map[string]any
		if key == statusKey && json.Unmarshal([]byte(value), &status) == nil {
			delete(status, "version")
			raw, _ := json.Marshal(status)
			value = string(raw)
		}
		out[key] = value
	}
	return out
}
