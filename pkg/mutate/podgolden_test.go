package mutate

import (
	"encoding/json"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/certwire/certwire/pkg/reload/spec"
	"github.com/certwire/certwire/test/golden"
)

// A case is a folder under testdata/pod, as for workloads: in.yaml is the Pod as admission gets it.
func TestGoldenPods(t *testing.T) {
	t.Parallel()
	for _, dir := range golden.Cases(t, "testdata/pod/*", 10) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			in := readYAML(t, filepath.Join(dir, "in.yaml"))
			facts := readFacts(t, filepath.Join(dir, "facts.yaml"))
			out, plan := planPod(t, in, facts)
			golden.Same(t, filepath.Join(dir, "want.yaml"), toYAML(t, out))
			golden.Same(t, filepath.Join(dir, "verdict.yaml"), marshalYAML(t, verdict{plan.Method, plan.Reason, nil, plan.Warnings}))
			if again, _ := planPod(t, out, facts); gocmp.Diff(string(out), string(again)) != "" {
				t.Errorf("the second pass changes something:\n%s", gocmp.Diff(string(out), string(again)))
			}
			for _, line := range plan.Warnings {
				if len([]rune(line)) > 120 {
					t.Errorf("warning of %d characters: %s", len([]rune(line)), line)
				}
			}
			readByTheAgent(t, out)
			admissible(t, out)
			sown := sowPod(t, in)
			grown, _ := planPod(t, sown, facts)
			if diff := gocmp.Diff(withoutAgent(t, sown), withoutAgent(t, grown)); diff != "" {
				t.Errorf("something else than the agent has changed:\n%s", diff)
			}
		})
	}
}

func planPod(t *testing.T, object []byte, facts Facts) ([]byte, PodPlan) {
	t.Helper()
	pod, err := DecodePod(object)
	if err != nil {
		t.Fatal(err)
	}
	plan := NewPodPlan(pod, facts)
	return apply(t, object, plan.Patch()), plan
}

// readByTheAgent reads what was injected as the agent does.
func readByTheAgent(t *testing.T, object []byte) {
	t.Helper()
	pod, err := DecodePod(object)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range pod.Spec.InitContainers {
		if c.Name != AgentName {
			continue
		}
		for _, e := range c.Env {
			if e.Name != "CERTWIRE_AGENT" {
				continue
			}
			if _, err := spec.ParseConfig([]byte(expand(e.Value))); err != nil {
				t.Errorf("the agent would not read %s: %v", e.Value, err)
			}
		}
	}
}

// admissible holds the agent to what the API server's validation and the container runtime ask of its mounts and of its
// environment (kubernetes pkg/apis/core/validation, ValidateVolumeMounts; execve(2), MAX_ARG_STRLEN).
func admissible(t *testing.T, object []byte) {
	t.Helper()
	pod, err := DecodePod(object)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range pod.Spec.InitContainers {
		if c.Name != AgentName || c.RestartPolicy == nil {
			continue
		}
		places := []string{"/agent"}
		for _, m := range c.VolumeMounts {
			here := path.Clean(m.MountPath)
			for _, there := range places {
				if here == there || strings.HasPrefix(here, there+"/") || strings.HasPrefix(there, here+"/") {
					t.Errorf("%s is mounted in or over %s", here, there)
				}
			}
			places = append(places, here)
			if !slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name }) {
				t.Errorf("there is no volume %s", m.Name)
			}
		}
		for _, e := range c.Env {
			if len(e.Name)+len(e.Value) >= 128<<10 {
				t.Errorf("variable %s has %d bytes", e.Name, len(e.Value))
			}
		}
	}
}

// expand is what the kubelet makes of a value without references.
func expand(value string) string {
	out := make([]byte, 0, len(value))
	for i := 0; i < len(value); i++ {
		if value[i] == '$' && i+1 < len(value) && value[i+1] == '$' {
			i++
		}
		out = append(out, value[i])
	}
	return string(out)
}

func sowPod(t *testing.T, in []byte) []byte {
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
	return raw
}

// withoutAgent takes away what a plan may add.
func withoutAgent(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	var pod map[string]any
	if err := json.Unmarshal(raw, &pod); err != nil {
		t.Fatal(err)
	}
	if meta, ok := pod["metadata"].(map[string]any); ok {
		if a, ok := meta["annotations"].(map[string]any); ok {
			if delete(a, StatusKey); len(a) == 0 {
				delete(meta, "annotations")
			}
		}
	}
	s, ok := pod["spec"].(map[string]any)
	if !ok {
		return pod
	}
	delete(s, "shareProcessNamespace")
	for _, list := range []string{"initContainers", "volumes"} {
		items, _ := s[list].([]any)
		var kept []any
		for _, item := range items {
			m, ok := item.(map[string]any)
			name, _ := m["name"].(string)
			if ok && len(name) > 8 && name[:8] == "certwire" {
				continue
			}
			kept = append(kept, item)
		}
		if delete(s, list); kept != nil {
			s[list] = kept
		}
	}
	return pod
}

func TestAStrippedAgentIsRepairedWhateverThePlan(t *testing.T) {
	t.Parallel()
	in := readYAML(t, "testdata/pod/nginx-is-signalled/in.yaml")
	facts := readFacts(t, "")
	injected, _ := planPod(t, in, facts)
	for sentence, change := range map[string]func(pod map[string]any, f *Facts){
		"as it was":                      func(map[string]any, *Facts) {},
		"the Certificate has gone":       func(_ map[string]any, f *Facts) { f.Certificates = func(string) []Certificate { return nil } },
		"the agent is switched off":      func(_ map[string]any, f *Facts) { f.Agent.Enabled = false },
		"nodes have become too old":      func(_ map[string]any, f *Facts) { f.Features.NativeSidecars = "they are old" },
		"the namespace has opted out":    func(_ map[string]any, f *Facts) { f.NamespaceLabels = nil },
		"nothing refers to the Secret":   func(pod map[string]any, _ *Facts) { delete(pod["spec"].(map[string]any), "volumes") },
		"the annotations have been lost": func(pod map[string]any, _ *Facts) { delete(pod["metadata"].(map[string]any), "annotations") },
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			var pod map[string]any
			if err := json.Unmarshal(injected, &pod); err != nil {
				t.Fatal(err)
			}
			for _, c := range pod["spec"].(map[string]any)["initContainers"].([]any) {
				delete(c.(map[string]any), "restartPolicy")
			}
			facts := facts
			change(pod, &facts)
			raw, err := json.Marshal(pod)
			if err != nil {
				t.Fatal(err)
			}
			out, _ := planPod(t, raw, facts)
			repaired, err := DecodePod(out)
			if err != nil {
				t.Fatal(err)
			}
			if c := repaired.Spec.InitContainers[0]; c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways {
				t.Errorf("an init container that never ends: restartPolicy %v", c.RestartPolicy)
			}
			if again, _ := planPod(t, out, facts); string(again) != string(out) {
				t.Errorf("the second pass changes something:\n%s", gocmp.Diff(string(out), string(again)))
			}
		})
	}
}

// TestNoConfigurationIsTooLongForAProcess has certificates at the longest paths there can be.
func TestNoConfigurationIsTooLongForAProcess(t *testing.T) {
	t.Parallel()
	pod := &Pod{Metadata: &PodMeta{Annotations: map[string]string{spec.HTTPKey: "POST :9000/reload"}}}
	volume := corev1.Volume{Name: "tls", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{}}}
	for i := range spec.MaxCertificates {
		volume.Projected.Sources = append(volume.Projected.Sources, corev1.VolumeProjection{Secret: &corev1.SecretProjection{
			LocalObjectReference: corev1.LocalObjectReference{Name: "web-tls"},
			Items:                []corev1.KeyToPath{{Key: "tls.crt", Path: strconv.Itoa(i) + strings.Repeat("x", 4000)}},
		}})
	}
	pod.Spec.Volumes = []corev1.Volume{volume}
	pod.Spec.Containers = []corev1.Container{{Name: "web", VolumeMounts: []corev1.VolumeMount{{Name: "tls", MountPath: "/tls"}}}}
	plan := NewPodPlan(pod, readFacts(t, ""))
	if plan.Reason != ReasonSkipped || len(plan.Patch()) != 0 || len(plan.Warnings) == 0 || !strings.Contains(plan.Warnings[0], "its configuration would have") {
		t.Errorf("%s: %v", plan.Reason, plan.Warnings)
	}
}

func TestAPodIsItsWorkloads(t *testing.T) {
	t.Parallel()
	controlled := func(version, kind, name string) *PodMeta {
		return &PodMeta{
			Labels:          map[string]string{"pod-template-hash": "5c9d8"},
			OwnerReferences: []Owner{{APIVersion: "v1", Kind: "Node", Name: "other"}, {APIVersion: version, Kind: kind, Name: name, Controller: true}},
		}
	}
	for sentence, c := range map[string]struct {
		pod        *PodMeta
		kind, name string
	}{
		"a Deployment's, by its ReplicaSet":                 {controlled("apps/v1", "ReplicaSet", "web-5c9d8"), "Deployment", "web"},
		"nobody's, if the ReplicaSet is nobody's":           {controlled("apps/v1", "ReplicaSet", "web"), "", ""},
		"nobody's, if the ReplicaSet is called by its hash": {controlled("apps/v1", "ReplicaSet", "-5c9d8"), "", ""},
		"a StatefulSet's":                                   {controlled("apps/v1", "StatefulSet", "db"), "StatefulSet", "db"},
		"nobody's, if it is a Job's":                        {controlled("batch/v1", "Job", "once"), "", ""},
		"nobody's, if somebody else calls it ReplicaSet":    {controlled("example.com/v1", "ReplicaSet", "web-5c9d8"), "", ""},
		"nobody's, without an owner":                        {&PodMeta{}, "", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			kind, name, ok := c.pod.Workload()
			if kind != c.kind || name != c.name || ok != (c.kind != "") {
				t.Errorf("got %s %q %v", kind, name, ok)
			}
		})
	}
}

func FuzzDecodePod(f *testing.F) {
	f.Add([]byte(`{"metadata":{"annotations":{"certwire.dev/preset":"nginx"}},"spec":{"volumes":[{"name":"a","secret":{"secretName":"web-tls"}}],"containers":[{"name":"a","volumeMounts":[{"name":"a","mountPath":"/a"}]}]}}`))
	f.Add([]byte(`{"metadata":{},"spec":{"initContainers":null,"containers":[{"envFrom":[{"secretRef":{"name":"x"}}]}]}}`))
	f.Fuzz(func(t *testing.T, object []byte) {
		pod, err := DecodePod(object)
		if err != nil {
			return
		}
		plan := NewPodPlan(pod, Facts{
			NamespaceLabels: map[string]string{ReloadLabel: "sidecar"}, Agent: Agent{Enabled: true, Image: "a", Method: "self,restart", User: 1, SharesProcesses: true},
			Certificates: func(string) []Certificate { return []Certificate{{Name: "web"}} },
		})
		again, err := DecodePod(apply(t, object, plan.Patch()))
		if err != nil {
			t.Fatal(err)
		}
		if ops := NewPodPlan(again, Facts{
			NamespaceLabels: map[string]string{ReloadLabel: "sidecar"}, Agent: Agent{Enabled: true, Image: "a", Method: "self,restart", User: 1, SharesProcesses: true},
			Certificates: func(string) []Certificate { return []Certificate{{Name: "web"}} },
		}).Patch(); len(ops) != 0 {
			t.Errorf("the second pass is not empty: %v", ops)
		}
		for i := range again.Spec.InitContainers {
			if c := again.Spec.InitContainers[i]; c.Name == AgentName && plan.Reason == ReasonInjected && c.RestartPolicy == nil {
				t.Errorf("an agent that blocks its pod: %+v", c)
			}
		}
	})
}

// TestAListThatNobodyWroteCostsLittle: expressions in Reloader's annotations are compiled in the webhook.
func TestAListThatNobodyWroteCostsLittle(t *testing.T) {
	t.Parallel()
	heavy := strings.Repeat("(a{1000}){1000}", 100)
	if names([]string{heavy}, "web-tls") || !names([]string{heavy, "web-.*"}, "web-tls") {
		t.Error("a heavy expression names a Secret, or keeps the next one from it")
	}
}
