package mutate

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	gocmp "github.com/google/go-cmp/cmp"
	operations "gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"github.com/certwire/certwire/pkg/reload/spec"
	"github.com/certwire/certwire/test/golden"
)

// A case is a folder under testdata/plan: in.yaml is the workload, facts.yaml (optional) its surroundings, want.yaml
// the workload afterwards and verdict.yaml the plan's words. A folder is all it takes to add one. UPDATE_GOLDEN=true
// writes want.yaml and verdict.yaml anew.

type goldenFacts struct {
	Namespace       string
	NamespaceLabels map[string]string
	Certificates    map[string][]Certificate
	// Reloader is the text of reloaderOptions; absent means that a default Reloader runs, "none" that there is none.
	Reloader string
	// Agent changes what the agents of the tests have in common.
	Agent struct {
		Off         bool
		Unshared    bool
		Method      string
		MetricsPort int32
		Presets     map[string]spec.Values
	}
	Features Features
	Owner    string
	Kept     bool
	Limits   []corev1.LimitRangeItem
}

type verdict struct {
	Method   Method   `json:"method,omitempty"`
	Reason   Reason   `json:"reason"`
	Secrets  []string `json:"secrets,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, dir := range golden.Cases(t, "testdata/plan/*", 10) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			for _, name := range filesIn(t, dir) {
				switch name {
				case "in.yaml", "facts.yaml", "want.yaml", "verdict.yaml":
				default:
					t.Errorf("%s/%s belongs to no case", dir, name)
				}
			}
			in := readYAML(t, filepath.Join(dir, "in.yaml"))
			facts := readFacts(t, filepath.Join(dir, "facts.yaml"))
			out, plan := planAndApply(t, in, facts)
			golden.Same(t, filepath.Join(dir, "want.yaml"), toYAML(t, out))
			golden.Same(t, filepath.Join(dir, "verdict.yaml"), marshalYAML(t, verdict{plan.Method, plan.Reason, plan.Secrets, plan.Warnings}))

			again, _ := planAndApply(t, out, facts)
			if diff := gocmp.Diff(string(out), string(again)); diff != "" {
				t.Errorf("the second pass changes something:\n%s", diff)
			}
			for _, line := range plan.Warnings {
				if len([]rune(line)) > 120 {
					t.Errorf("warning of %d characters: %s", len([]rune(line)), line)
				}
			}
			onlyAnnotationsDiffer(t, in, out)
			unknownFieldsSurvive(t, in, facts)
			optOutRestores(t, in, out, facts)
		})
	}
}

// planAndApply decodes, plans, and applies the patch to the very bytes, as the API server does.
func planAndApply(t *testing.T, object []byte, facts Facts) ([]byte, Plan) {
	t.Helper()
	w, err := Decode(object)
	if err != nil {
		t.Fatal(err)
	}
	if w.Declares() {
		var full Template
		if err := json.Unmarshal(object, &full); err != nil {
			t.Fatal(err)
		}
		w.Pod = &full.Spec.Template.Spec
	}
	plan := NewPlan(w, facts)
	return apply(t, object, plan.Patch(w)), plan
}

// apply applies operations to the very bytes.
func apply(t *testing.T, object []byte, ops []operations.Operation) []byte {
	t.Helper()
	if len(ops) == 0 {
		return object
	}
	raw, err := json.Marshal(ops)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(raw)
	if err != nil {
		t.Fatalf("patch %s: %v", raw, err)
	}
	out, err := patch.Apply(object)
	if err != nil {
		t.Fatalf("patch %s does not apply: %v", raw, err)
	}
	return out
}

func onlyAnnotationsDiffer(t *testing.T, in, out []byte) {
	t.Helper()
	strip := func(raw []byte) map[string]any {
		var object map[string]any
		if err := json.Unmarshal(raw, &object); err != nil {
			t.Fatal(err)
		}
		if meta, ok := object["metadata"].(map[string]any); ok {
			delete(meta, "annotations")
		}
		return object
	}
	if diff := gocmp.Diff(strip(in), strip(out)); diff != "" {
		t.Errorf("the plan changes more than annotations:\n%s", diff)
	}
}

// unknownFieldsSurvive puts a field that no Kubernetes version has into every object of the workload.
func unknownFieldsSurvive(t *testing.T, in []byte, facts Facts) {
	t.Helper()
	var object any
	if err := json.Unmarshal(in, &object); err != nil {
		t.Fatal(err)
	}
	sow(object)
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	out, _ := planAndApply(t, raw, facts)
	onlyAnnotationsDiffer(t, raw, out)
}

func sow(v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, child := range v {
			switch key { // maps of words and quantities: anything else would not be admitted
			case "labels", "annotations", "limits", "requests", "nodeSelector", "matchLabels", "volumeAttributes":
			default:
				sow(child)
			}
		}
		v["fieldOfTheFuture"] = map[string]any{"list": []any{1.5, "x", nil}}
	case []any:
		for _, child := range v {
			sow(child)
		}
	}
}

// optOutRestores takes every opt-in away from the outcome: the user's own annotations must come back to the byte.
func optOutRestores(t *testing.T, in, out []byte, facts Facts) {
	t.Helper()
	w, err := Decode(in)
	if err != nil {
		t.Fatal(err)
	}
	if w.Metadata.Annotations[StatusKey] != "" {
		return // the case starts from an outcome of certwire's
	}
	facts.Certificates = func(string) []Certificate { return nil }
	restored, _ := planAndApply(t, out, facts)
	before, after := annotations(t, in), annotations(t, restored)
	if diff := gocmp.Diff(before, after); diff != "" {
		t.Errorf("without its Certificates the workload is not what it was:\n%s", diff)
	}
}

func annotations(t *testing.T, raw []byte) map[string]string {
	t.Helper()
	w, err := Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	if w.Metadata.Annotations == nil {
		return map[string]string{}
	}
	return w.Metadata.Annotations
}

func readFacts(t *testing.T, path string) Facts {
	t.Helper()
	g := goldenFacts{
		NamespaceLabels: map[string]string{ReloadLabel: "auto"},
		Certificates:    map[string][]Certificate{"web-tls": {{Name: "web"}}},
	}
	if _, err := os.Stat(path); err == nil {
		g.NamespaceLabels, g.Certificates = nil, nil
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(raw, &g); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	reloader := Reloader{Found: true, Keys: DefaultKeys()}
	switch g.Reloader {
	case "":
	case "none":
		reloader = NoReloader()
	default:
		var err error
		if reloader, err = ParseReloader(g.Reloader); err != nil {
			t.Fatal(err)
		}
	}
	if g.Namespace == "" {
		g.Namespace = "shop"
	}
	return Facts{
		Namespace:       g.Namespace,
		NamespaceLabels: g.NamespaceLabels,
		Certificates:    func(secret string) []Certificate { return g.Certificates[secret] },
		Reloader:        reloader,
		Version:         "v0.0.0-test",
		Agent: Agent{
			Enabled: !g.Agent.Off, Image: "registry.example/agent:v0.0.0-test", Method: cmp.Or(g.Agent.Method, "self"), User: 65532,
			SharesProcesses: !g.Agent.Unshared, MetricsPort: g.Agent.MetricsPort, Presets: g.Agent.Presets,
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("5m"), corev1.ResourceMemory: resource.MustParse("16Mi")},
				Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("32Mi")},
			},
		},
		Features: g.Features, Owner: g.Owner, Kept: g.Kept, Limits: g.Limits,
	}
}

func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func readYAML(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	object, err := yaml.YAMLToJSONStrict(raw)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return object
}

func toYAML(t *testing.T, object []byte) []byte {
	t.Helper()
	out, err := yaml.JSONToYAML(object)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func marshalYAML(t *testing.T, v any) []byte {
	t.Helper()
	out, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
