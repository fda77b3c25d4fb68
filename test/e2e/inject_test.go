package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"github.com/certwire/certwire/pkg/mutate"
	"github.com/certwire/certwire/test/harness"
)

// restricted makes a namespace in which every pod has to be, and the Certificate "web" is known.
func restricted(t *testing.T, labels ...string) string {
	t.Helper()
	ns := namespace(t, append(labels, "certwire.dev/reload=auto", "pod-security.kubernetes.io/enforce=restricted")...)
	mustApply(t, ns, certificate("web", "web-tls"))
	known(t, ns, "web-tls")
	return ns
}

// restrictedPod is one that Pod Security takes, with a certificate and these annotations.
func restrictedPod(annotations map[string]string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "web-", Annotations: annotations},
		Spec: corev1.PodSpec{
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: new(true), RunAsUser: new(int64(1000)), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "web", Image: "registry.example/web:1", VolumeMounts: []corev1.VolumeMount{{Name: "tls", MountPath: "/etc/tls"}},
				SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
			}},
			Volumes: []corev1.Volume{{Name: "tls", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "web-tls"}}}},
		},
	}
}

// createPod creates it and returns what the API server stores. Its ServiceAccount may not be there yet.
func createPod(t *testing.T, ns string, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	var stored *corev1.Pod
	eventually(t, "the pod is created", func() bool {
		var err error
		stored, err = cluster.Client.CoreV1().Pods(ns).Create(t.Context(), pod, metav1.CreateOptions{})
		if err != nil && !strings.Contains(err.Error(), "serviceaccount") {
			t.Fatal(err)
		}
		return err == nil
	})
	return stored
}

// agentOf is the injected container; nil without one.
func agentOf(pod *corev1.Pod) *corev1.Container {
	for i := range pod.Spec.InitContainers {
		if pod.Spec.InitContainers[i].Name == mutate.AgentName {
			return &pod.Spec.InitContainers[i]
		}
	}
	return nil
}

func TestAPodGetsTheAgent(t *testing.T) {
	t.Parallel()
	ns := restricted(t)
	pod := createPod(t, ns, restrictedPod(map[string]string{"certwire.dev/preset": "nginx"}))
	agent := agentOf(pod)
	if agent == nil {
		t.Fatalf("no agent: %+v", pod.Spec.InitContainers)
	}
	if agent.RestartPolicy == nil || *agent.RestartPolicy != corev1.ContainerRestartPolicyAlways || len(agent.RestartPolicyRules) != 1 {
		t.Errorf("restart policy %v, rules %v", agent.RestartPolicy, agent.RestartPolicyRules)
	}
	if pod.Spec.ShareProcessNamespace == nil || !*pod.Spec.ShareProcessNamespace {
		t.Error("processes are not shared")
	}
	// The API server's ServiceAccount plugin has run once more after the webhook: the application has a token, and the
	// agent has an empty directory in its place.
	tokens := func(c *corev1.Container) (volumes []string) {
		for _, m := range c.VolumeMounts {
			if m.MountPath == "/var/run/secrets/kubernetes.io/serviceaccount" {
				volumes = append(volumes, m.Name)
			}
		}
		return volumes
	}
	if app := tokens(&pod.Spec.Containers[0]); len(app) != 1 || !strings.HasPrefix(app[0], "kube-api-access-") {
		t.Errorf("the application's token is in %v", app)
	}
	if own := tokens(agent); !slices.Equal(own, []string{"certwire-no-token"}) {
		t.Errorf("the agent's token is in %v", own)
	}
	again := pod.DeepCopy()
	again.ObjectMeta = metav1.ObjectMeta{GenerateName: "copy-", Annotations: pod.Annotations}
	if copied := createPod(t, ns, again); len(copied.Spec.InitContainers) != 1 || len(copied.Spec.Volumes) != len(pod.Spec.Volumes) {
		t.Errorf("a copy of an injected pod: %d init containers, %d volumes", len(copied.Spec.InitContainers), len(copied.Spec.Volumes))
	}
}

func TestBoundsOfANamespaceDoNotKeepAPodOut(t *testing.T) {
	t.Parallel()
	ns := restricted(t)
	if _, err := cluster.Client.CoreV1().LimitRanges(ns).Create(t.Context(), &corev1.LimitRange{
		ObjectMeta: metav1.ObjectMeta{Name: "bounds"},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type:                 corev1.LimitTypeContainer,
			Min:                  corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("24Mi")},
			Max:                  corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("80m"), corev1.ResourceMemory: resource.MustParse("1Gi")},
			MaxLimitRequestRatio: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1")},
		}}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pod := restrictedPod(map[string]string{"certwire.dev/http": "POST :9000/reload"})
	pod.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("60m"), corev1.ResourceMemory: resource.MustParse("64Mi")}
	var stored *corev1.Pod
	eventually(t, "the pod is let in with the agent", func() bool { // once the bounds are known
		var err error
		stored, err = cluster.Client.CoreV1().Pods(ns).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{"All"}})
		return err == nil && agentOf(stored) != nil
	})
	r := agentOf(stored).Resources
	if r.Requests.Cpu().String() != "80m" || r.Limits.Cpu().String() != "80m" || r.Requests.Memory().String() != "32Mi" {
		t.Errorf("the agent has %+v", r)
	}
}

func TestADeploymentWhoseMethodCannotWorkIsWarnedAndAnnotated(t *testing.T) {
	t.Parallel()
	ns := restricted(t)
	template := func(annotations string) string {
		return `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations: ` + annotations + `
    spec:
      containers:
      - name: web
        image: registry.example/web:1
        volumeMounts: [{name: tls, mountPath: /etc/tls}]
      volumes: [{name: tls, secret: {secretName: web-tls}}]
`
	}
	out := mustApply(t, ns, template(`{certwire.dev/method: signal, certwire.dev/signal: HUP, certwire.dev/process: web}`))
	contains(t, out, "Warning: method signal cannot be used: the container's user is not known", "Reloader is used instead")
	if got := get(t, ns, "web").Annotations[reloadKey]; got != "web-tls" {
		t.Errorf("annotated with %q", got)
	}
	out = mustApply(t, ns, template(`{certwire.dev/method: telepathy}`))
	contains(t, out, `certwire.dev/method="telepathy"`, "self, http, socket, signal, restart,", "rollout")
	if got := get(t, ns, "web").Annotations[reloadKey]; got != "web-tls" {
		t.Errorf("annotated with %q", got)
	}
	out = mustApply(t, ns, template(`{certwire.dev/http: "POST :9000/reload"}`))
	containsNot(t, out, "Reloader is used instead")
	if a := get(t, ns, "web").Annotations; a[reloadKey] != "" || !strings.Contains(a[statusKey], `"method":"sidecar"`) {
		t.Errorf("the agent has taken over, and there is %v", a)
	}
}

// TestPodsThatAreThereKeepReloader: a workload that asks for the agent, in a namespace that opts in only afterwards, has pods
// without it until they are made anew.
func TestPodsThatAreThereKeepReloader(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	mustApply(t, ns, certificate("web", "web-tls"))
	d := deployment("web", "web-tls")
	d.Spec.Template.Annotations = map[string]string{"certwire.dev/http": "POST :9000/reload"}
	d.Spec.Template.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: d.Spec.Template.Spec.Volumes[0].Name, MountPath: "/etc/tls"}}
	create(t, ns, d)
	kubectl(t, "label", "namespace", ns, "certwire.dev/reload=auto")
	eventually(t, "Reloader's annotation", func() bool { return get(t, ns, "web").Annotations[reloadKey] == "web-tls" })
	kubectl(t, "label", "deployment", "web", "-n", ns, "unrelated=yes")
	if a := get(t, ns, "web").Annotations; a[reloadKey] != "web-tls" {
		t.Errorf("a label alone makes no pod anew, and there is %v", a)
	}
	kubectl(t, "rollout", "restart", "deployment/web", "-n", ns)
	if a := get(t, ns, "web").Annotations; a[reloadKey] != "" || !strings.Contains(a[statusKey], `"method":"sidecar"`) {
		t.Errorf("the pods are made anew, and there is %v", a)
	}
}

// stripper is what a webhook does that was built before native sidecars: it reads a Pod into types without the field, and
// writes it back.
func stripper(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	raw, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(raw, &review) != nil {
		http.Error(w, "no review", http.StatusBadRequest)
		return
	}
	var pod corev1.Pod
	answer := &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
	if json.Unmarshal(review.Request.Object.Raw, &pod) == nil {
		var ops []map[string]any
		for i, c := range pod.Spec.InitContainers {
			at := "/spec/initContainers/" + string(rune('0'+i))
			if c.RestartPolicy != nil {
				ops = append(ops, map[string]any{"op": "remove", "path": at + "/restartPolicy"})
			}
			if c.RestartPolicyRules != nil {
				ops = append(ops, map[string]any{"op": "remove", "path": at + "/restartPolicyRules"})
			}
		}
		if len(ops) > 0 {
			answer.Patch, _ = json.Marshal(ops)
			answer.PatchType = new(admissionv1.PatchTypeJSONPatch)
		}
	}
	review.Request, review.Response = nil, answer
	_ = json.NewEncoder(w).Encode(review)
}

func TestWhatAnotherWebhookStripsIsPutBack(t *testing.T) {
	t.Parallel()
	if harness.Host() != "localhost" {
		t.Skip("the API server of KUBECONFIG cannot reach this process")
	}
	ns := restricted(t, "stripped=yes")
	server := httptest.NewUnstartedServer(http.HandlerFunc(stripper))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	client := cluster.Client.AdmissionregistrationV1().MutatingWebhookConfigurations()
	_, err := client.Create(t.Context(), &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "zz-stripper"}, // they are called in the order of their names
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "stripper.example.com", AdmissionReviewVersions: []string{"v1"}, SideEffects: new(admissionregistrationv1.SideEffectClassNone),
			FailurePolicy:     new(admissionregistrationv1.Fail),
			ClientConfig:      admissionregistrationv1.WebhookClientConfig{URL: new(server.URL + "/strip"), CABundle: ca},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"stripped": "yes"}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Delete(context.Background(), "zz-stripper", metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	// A pod with a sidecar of its own tells that the stripper is called.
	own := restrictedPod(map[string]string{"certwire.dev/preset": "nginx"})
	sidecar := own.Spec.Containers[0].DeepCopy()
	sidecar.Name, sidecar.RestartPolicy = "proxy", new(corev1.ContainerRestartPolicyAlways)
	own.Spec.InitContainers = []corev1.Container{*sidecar}
	var stored *corev1.Pod
	eventually(t, "the other webhook is called", func() bool {
		stored = createPod(t, ns, own)
		return stored.Spec.InitContainers[0].RestartPolicy == nil
	})
	agent := agentOf(stored)
	if agent == nil || agent.RestartPolicy == nil || len(agent.RestartPolicyRules) != 1 {
		t.Errorf("the agent is %+v", agent)
	}
}

func TestAStolenTokenRunsNoPod(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := cluster.ServiceAccountKubeconfig(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	stolen, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	pod := restrictedPod(nil)
	eventually(t, "a dry run is let through, and nothing else is", func() bool {
		_, err := stolen.CoreV1().Pods(harness.Namespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{"All"}})
		if err != nil {
			return false // the namespace's ServiceAccount is not there yet
		}
		_, err = stolen.CoreV1().Pods(harness.Namespace).Create(t.Context(), pod, metav1.CreateOptions{})
		return err != nil && strings.Contains(err.Error(), "certwire never creates Pods")
	})
	if _, err := stolen.CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{"All"}}); err == nil {
		t.Error("elsewhere, even a dry run is more than is needed")
	}
}

// TestAFeatureThatIsSwitchedOff runs against an API server that refuses a pod which restarts all of its containers. Its
// version does not tell.
func TestAFeatureThatIsSwitchedOff(t *testing.T) {
	if os.Getenv("KUBECONFIG") != "" {
		t.Skip("needs an API server of its own")
	}
	old, err := harness.Start(t.Context(), t.Output(), "--apiserver-arg=--feature-gates=RestartAllContainersOnContainerExits=false")
	if err != nil {
		t.Fatal(err)
	}
	defer old.Stop()
	installed, err := harness.Deploy(t.Context(), old, t.Output(), 1, "--shutdown-delay=0s", "--ca-publish-delay=1s")
	if installed != nil {
		defer installed.Stop()
	}
	if err != nil {
		t.Fatal(err)
	}
	const namespaceAndCertificate = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {certwire.dev/reload: auto}}
---
`
	if out, err := old.Kubectl(t.Context(), namespaceAndCertificate+strings.Replace(certificate("web", "web-tls"), "metadata: {", "metadata: {namespace: shop, ", 1), "apply", "-f", "-"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	create := func(annotations map[string]string) (*corev1.Pod, error) {
		return old.Client.CoreV1().Pods("shop").Create(t.Context(), restrictedPod(annotations), metav1.CreateOptions{DryRun: []string{"All"}})
	}
	eventually(t, "the agent is there, and does what it can", func() bool {
		pod, err := create(map[string]string{"certwire.dev/preset": "nginx"})
		if err != nil {
			if !strings.Contains(err.Error(), "serviceaccount") {
				t.Fatal(err)
			}
			return false
		}
		agent := agentOf(pod)
		return agent != nil && agent.RestartPolicy != nil && len(agent.RestartPolicyRules) == 0 && strings.Contains(agent.Env[0].Value, `"method":"signal"`)
	})
	pod, err := create(map[string]string{"certwire.dev/method": "restart"})
	if err != nil || agentOf(pod) != nil {
		t.Errorf("a pod that could only be restarted: %v", err)
	}
}

// TestGoldenPods sends every golden Pod through the real API server: whatever it is, it is let in, and what is stored has
// the agent of the golden file.
func TestGoldenPods(t *testing.T) {
	t.Parallel()
	cases, err := filepath.Glob("../../pkg/mutate/testdata/pod/*/in.yaml")
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
		if slices.ContainsFunc([]string{"agent:", "features:", "limits:", "owner:"}, func(s string) bool { return strings.Contains(facts, s) }) ||
			strings.Contains(dir, "mirror") {
			continue // needs other surroundings, or a kubelet
		}
		if namespaces[facts] == "" {
			namespaces[facts] = surroundings(t, facts)
		}
		t.Run(filepath.Base(dir), func(t *testing.T) {
			want := podOf(t, filepath.Join(dir, "want.yaml"))
			diff := ""
			defer func() {
				if t.Failed() {
					t.Log(diff)
				}
			}()
			eventually(t, "the API server stores what the golden file wants", func() bool {
				in := podOf(t, path)
				in.Namespace = namespaces[facts]
				got, err := cluster.Client.CoreV1().Pods(in.Namespace).Create(t.Context(), in, metav1.CreateOptions{DryRun: []string{"All"}, FieldValidation: "Strict"})
				if err != nil {
					if strings.Contains(err.Error(), "serviceaccount") {
						return false
					}
					t.Fatal(err)
				}
				diff = cmp.Diff(bare(want), bare(got))
				return diff == ""
			})
		})
	}
}

func podOf(t *testing.T, path string) *corev1.Pod {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{}
	if err := yaml.Unmarshal(raw, pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

// bare is the agent without what differs between configurations.
func bare(pod *corev1.Pod) *corev1.Container {
	agent := agentOf(pod).DeepCopy()
	if agent == nil || agent.RestartPolicy == nil { // a container of somebody else's may have the name
		return nil
	}
	agent.Image, agent.Env, agent.ImagePullPolicy = "", nil, ""
	return agent
}

// TestWhatNobodyRollsOutIsInjected has Pods of ReplicaSets: a Deployment's is replaced by its owner, one of Argo Rollouts or of
// nobody is not.
func TestWhatNobodyRollsOutIsInjected(t *testing.T) {
	t.Parallel()
	ns := restricted(t)
	for sentence, c := range map[string]struct {
		labels map[string]string
		want   bool
	}{
		"of a Deployment": {map[string]string{"pod-template-hash": "5c9d8"}, false},
		"of a Rollout":    {map[string]string{"rollouts-pod-template-hash": "5c9d8"}, true},
		"of nobody":       {nil, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			pod := restrictedPod(nil)
			pod.Labels = c.labels
			pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-5c9d8", UID: "1", Controller: new(true)}}
			if got := dryRun(t, ns, pod); (agentOf(got) != nil) != c.want {
				t.Errorf("agent %v", agentOf(got))
			}
		})
	}
}

// dryRun is what the API server would store.
func dryRun(t *testing.T, ns string, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	var stored *corev1.Pod
	eventually(t, "the pod is let in", func() bool {
		var err error
		stored, err = cluster.Client.CoreV1().Pods(ns).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{"All"}})
		if err != nil && !strings.Contains(err.Error(), "serviceaccount") {
			t.Fatal(err)
		}
		return err == nil
	})
	return stored
}

// TestNothingOfANamespacesKeepsAPodOut has bounds and quotas that leave the agent little, or nothing.
func TestNothingOfANamespacesKeepsAPodOut(t *testing.T) {
	t.Parallel()
	amounts := func(text string) corev1.ResourceList {
		list := corev1.ResourceList{}
		for word := range strings.FieldsSeq(text) {
			name, value, _ := strings.Cut(word, "=")
			list[corev1.ResourceName(name)] = resource.MustParse(value)
		}
		return list
	}
	ofPods := func(least, most, ratio string) corev1.LimitRangeItem {
		return corev1.LimitRangeItem{Type: corev1.LimitTypePod, Min: amounts(least), Max: amounts(most), MaxLimitRequestRatio: amounts(ratio)}
	}
	for sentence, c := range map[string]struct {
		limits           []corev1.LimitRangeItem
		quota            string
		requests, bounds string
		pod              string
		agent            bool
	}{
		"a pod's maximum that is reached":      {limits: []corev1.LimitRangeItem{ofPods("", "cpu=1", "")}, bounds: "cpu=1"},
		"a pod's maximum with a little left":   {limits: []corev1.LimitRangeItem{ofPods("", "cpu=1 memory=80Mi", "")}, bounds: "cpu=990m memory=64Mi", agent: true},
		"a pod's ratio":                        {limits: []corev1.LimitRangeItem{ofPods("", "", "cpu=1")}, bounds: "cpu=1", agent: true},
		"a pod's minimum, without a limit":     {limits: []corev1.LimitRangeItem{ofPods("memory=128Mi", "", "")}, requests: "memory=128Mi", agent: true},
		"a quota for storage":                  {quota: "requests.ephemeral-storage=1Gi limits.ephemeral-storage=1Gi", bounds: "ephemeral-storage=100Mi", agent: true},
		"a container's ratio of storage":       {limits: []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer, MaxLimitRequestRatio: amounts("ephemeral-storage=1")}}, bounds: "ephemeral-storage=100Mi", agent: true},
		"a maximum that is less than it needs": {limits: []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer, Max: amounts("memory=4Mi")}}, bounds: "memory=4Mi"},
		"resources of the pod's own, and defaults for containers": {
			limits: []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer, Default: amounts("cpu=500m")}}, bounds: "cpu=500m", pod: "cpu=500m", agent: true,
		},
		"resources of the pod's own, and a minimum": {
			limits: []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer, Min: amounts("cpu=50m")}}, bounds: "cpu=500m", pod: "cpu=500m",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			ns := restricted(t)
			if len(c.limits) > 0 {
				if _, err := cluster.Client.CoreV1().LimitRanges(ns).Create(t.Context(), &corev1.LimitRange{
					ObjectMeta: metav1.ObjectMeta{Name: "bounds"}, Spec: corev1.LimitRangeSpec{Limits: c.limits},
				}, metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			if c.quota != "" {
				if _, err := cluster.Client.CoreV1().ResourceQuotas(ns).Create(t.Context(), &corev1.ResourceQuota{
					ObjectMeta: metav1.ObjectMeta{Name: "quota"}, Spec: corev1.ResourceQuotaSpec{Hard: amounts(c.quota)},
				}, metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			pod := restrictedPod(map[string]string{"certwire.dev/http": "POST :9000/reload"})
			pod.Spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: amounts(c.requests), Limits: amounts(c.bounds)}
			if c.pod != "" {
				pod.Spec.Resources = &corev1.ResourceRequirements{Requests: amounts(c.pod), Limits: amounts(c.pod)}
			}
			last := ""
			defer func() {
				if t.Failed() {
					t.Log(last)
				}
			}()
			eventually(t, "the pod is let in", func() bool { // once the bounds are known to both
				stored, err := cluster.Client.CoreV1().Pods(ns).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{"All"}})
				if err != nil {
					last = err.Error()
					return false
				}
				last = "agent: " + map[bool]string{true: "yes", false: "no"}[agentOf(stored) != nil]
				return (agentOf(stored) != nil) == c.agent
			})
		})
	}
}
