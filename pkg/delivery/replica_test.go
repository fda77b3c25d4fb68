package delivery

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/reload/spec"
)

func pod(t *testing.T, text string) *Pod {
	t.Helper()
	p := &corev1.Pod{}
	if err := yaml.UnmarshalStrict([]byte(text), p); err != nil {
		t.Fatal(err)
	}
	return NewPod(p)
}

func TestWhatIsKeptOfAPod(t *testing.T) {
	t.Parallel()
	p := pod(t, `
metadata:
  name: web-5c-x
  namespace: shop
  labels: {pod-template-hash: 5c}
  annotations: {certwire.dev/preset: nginx, certwire.dev/deliver: "abc"}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-5c, uid: u, controller: true}]
spec:
  initContainers:
  - name: certwire-agent
    env: [{name: CERTWIRE_AGENT, value: '{"method":"signal,restart","preset":"nginx","verify":"8443","ports":[1],"body":"$$(x)"}'}]
    ports: [{containerPort: 9402}]
    volumeMounts: [{name: tls, mountPath: /certwire/volumes/tls}]
  containers:
  - name: web
    ports: [{containerPort: 8443}, {containerPort: 8080}, {containerPort: 53, protocol: UDP}]
    volumeMounts: [{name: tls, mountPath: /tls}, {name: frozen, mountPath: /f, subPath: f}]
  - name: beside
    ports: [{containerPort: 7000}]
    env: [{name: X, valueFrom: {secretKeyRef: {name: env-tls, key: tls.crt}}}]
  - name: other
    ports: [{containerPort: 6000}]
  volumes:
  - {name: tls, secret: {secretName: web-tls}}
  - {name: frozen, secret: {secretName: frozen-tls}}
status:
  phase: Running
  podIP: 10.0.0.7
  startTime: "2026-11-23T12:00:00Z"
  conditions: [{type: Ready, status: "True"}]
`)
	if p.Workload != "Deployment/web" || p.IP != "10.0.0.7" || !p.Started.Equal(noon) || !p.Ready || p.Deliver != "abc" {
		t.Errorf("%+v", p)
	}
	if !slices.Equal(p.Secrets, []string{"env-tls", "frozen-tls", "web-tls"}) || !slices.Equal(p.Fresh, []string{"web-tls"}) {
		t.Errorf("secrets %v, of which fresh %v", p.Secrets, p.Fresh)
	}
	if !slices.Equal(p.Ports["web-tls"], []uint16{8080, 8443}) || !slices.Equal(p.Ports["env-tls"], []uint16{7000}) {
		t.Errorf("ports %v", p.Ports)
	}
	if !slices.Equal(p.Methods, []spec.Method{spec.SignalMethod, spec.Restart}) || p.Verify != "8443" || p.Preset != "nginx" {
		t.Errorf("the agent's %v %s %s", p.Methods, p.Verify, p.Preset)
	}
	if !p.Restarts() || !p.Gentle() || !p.TakesPokes("env-tls") {
		t.Error("the agent may restart it after a signal, and acts for what is frozen, too")
	}
}

func TestAnAgentThatIsNotUnderstoodMayRestart(t *testing.T) {
	t.Parallel()
	for _, env := range []string{
		"[]", "[{name: CERTWIRE_AGENT, value: x}]", `[{name: CERTWIRE_AGENT, value: '{"method":"telepathy"}'}]`, "[{name: CERTWIRE_AGENT_FILE, value: /f}]",
	} {
		p := pod(t, "spec: {initContainers: [{name: certwire-agent, env: "+env+"}], volumes: [{name: tls, secret: {secretName: s}}]}")
		if !p.Restarts() || p.Gentle() {
			t.Errorf("%s: methods %v", env, p.Methods)
		}
	}
}

func TestPodsThatAreNoMatter(t *testing.T) {
	t.Parallel()
	const uses = "spec: {containers: [{name: a}], volumes: [{name: tls, secret: {secretName: s}}]}\n"
	for sentence, text := range map[string]string{
		"no Secret":          "spec: {containers: [{name: a}]}",
		"one that has ended": uses + "status: {phase: Succeeded}",
		"one that failed":    uses + "status: {phase: Failed}",
		"a static pod":       uses + "metadata: {annotations: {kubernetes.io/config.mirror: x}}",
	} {
		if pod(t, text) != nil {
			t.Errorf("%s is kept", sentence)
		}
	}
}

func TestWhoReplacesAPod(t *testing.T) {
	t.Parallel()
	const uses = "spec: {volumes: [{name: tls, secret: {secretName: s}}]}\n"
	for want, text := range map[string]string{
		"Pod/web-0":         uses + "metadata: {name: web-0}",
		"StatefulSet/web":   uses + "metadata: {name: web-0, ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: web, uid: u, controller: true}]}",
		"Cluster/db":        uses + "metadata: {name: db-1, ownerReferences: [{apiVersion: postgresql.cnpg.io/v1, kind: Cluster, name: db, uid: u, controller: true}]}",
		"ReplicaSet/web-5c": uses + "metadata: {name: web-5c-x, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-5c, uid: u, controller: true}]}",
	} {
		if got := pod(t, text).Workload; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// FuzzNewPod gives the cache what anybody may write into a pod.
func FuzzNewPod(f *testing.F) {
	f.Add(`{"method":"restart"}`, "8443", "nginx", "abc")
	f.Add(`{"method":1}`, "8443=a,5432+postgres", "x", ",,")
	f.Fuzz(func(t *testing.T, agent, verify, preset, deliver string) {
		p := &corev1.Pod{}
		p.Annotations = map[string]string{"certwire.dev/verify": verify, "certwire.dev/preset": preset, "certwire.dev/deliver": deliver}
		p.Status.PodIP = "10.0.0.1"
		p.Spec.Volumes = []corev1.Volume{{Name: "tls", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "s"}}}}
		p.Spec.InitContainers = []corev1.Container{{Name: "certwire-agent", Env: []corev1.EnvVar{{Name: "CERTWIRE_AGENT", Value: agent}}}}
		kept := NewPod(p)
		for _, to := range targets(kept, "s", leafOf(&leafFixture), nil, nil) {
			if to.Address[:9] != "10.0.0.1:" {
				t.Errorf("dials %s", to.Address)
			}
		}
		once := withWord(kept.Deliver, "a", true, nil)
		if again := withWord(once, "a", true, nil); once != "a" || again != once {
			t.Errorf("%q, then %q", once, again)
		}
	})
}

var leafFixture = v1alpha1.DeliveredLeaf{
	Fingerprint: "a", Serial: "1", NotBefore: metav1.NewTime(noon), NotAfter: metav1.NewTime(noon), Names: []string{"web.example.com"},
}
