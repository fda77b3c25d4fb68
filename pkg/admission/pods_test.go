package admission

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/certwire/certwire/pkg/mutate"
)

// asking is a Pod with a certificate that wants an agent; owner and annotation are put in.
func asking(owner, annotation string) string {
	return `{"apiVersion":"v1","kind":"Pod","metadata":{"generateName":"web-5c9d8-","labels":{"pod-template-hash":"5c9d8"},` + owner + `"annotations":{` + annotation + `}},
		"spec":{"containers":[{"name":"web","image":"web","volumeMounts":[{"name":"tls","mountPath":"/etc/tls"}]}],"volumes":[{"name":"tls","secret":{"secretName":"web-tls"}}]}}`
}

const (
	ofADeployment = `"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-5c9d8","controller":true}],`
	byHTTP        = `"certwire.dev/http":"POST :9000/reload"`
	bySignal      = `"certwire.dev/method":"signal","certwire.dev/signal":"HUP","certwire.dev/process":"web"`
)

func TestPodsAreGivenTheAgentOrLeftAlone(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		cluster  cluster
		object   string
		patched  bool
		warns    string
		decision string
	}{
		"a pod that says how":                           {cluster{labels: optedIn}, asking(ofADeployment, byHTTP), true, "", "pods patch injected CREATE false"},
		"a pod whose workload opted out":                {cluster{labels: optedIn, owners: map[string]string{"web": "off"}}, asking(ofADeployment, byHTTP), false, "", "pods allow off CREATE false"},
		"a pod of a Deployment that says nothing":       {cluster{labels: optedIn}, asking(ofADeployment, ""), false, "", "pods allow rolls-out CREATE false"},
		"a pod of nobody's that says nothing":           {cluster{labels: optedIn}, asking("", ""), true, "", "pods patch injected CREATE false"},
		"a pod in a cluster without cert-manager":       {cluster{labels: optedIn, missing: true}, asking("", byHTTP), false, "", "pods allow no-cert-manager CREATE false"},
		"a person's pod with a method that cannot work": {cluster{labels: optedIn}, asking("", bySignal), false, "user is not known", "pods warn skipped CREATE false"},
		"a controller's pod with such a method":         {cluster{labels: optedIn}, asking(ofADeployment, bySignal), false, "", "pods allow skipped CREATE false"},
		"a pod on nodes that are too old": {
			cluster{labels: optedIn, features: mutate.Features{NativeSidecars: "the kubelet of node a is v1.27.0"}}, asking("", byHTTP), false, "node a", "pods warn skipped CREATE false",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			h, n := newHook(t, "pods", c.cluster)
			a := post(t, h, reviewOf("", "Pod", "CREATE", c.object, ""))
			if !a.Response.Allowed || (len(a.Response.Patch) > 0) != c.patched {
				t.Errorf("answer %s", a.text)
			}
			if all := strings.Join(a.Response.Warnings, "\n"); (c.warns == "") != (all == "") || !strings.Contains(all, c.warns) {
				t.Errorf("warnings %q, want %q", all, c.warns)
			}
			if !slices.Equal(n.decisions, []string{c.decision}) {
				t.Errorf("counted %q", n.decisions)
			}
		})
	}
}

func TestPodsFailOpen(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		cluster cluster
		object  string
		failure string
	}{
		"while the caches fill":               {cluster{notReady: errors.New("filling")}, asking("", byHTTP), "pods cache"},
		"when nobody knows the nodes":         {cluster{labels: optedIn, featureless: true}, asking("", byHTTP), "pods cache"},
		"when nobody knows the namespace":     {cluster{noNamespaces: errors.New("away")}, asking("", byHTTP), "pods lookup"},
		"on a panic":                          {cluster{labels: optedIn, panics: true}, asking("", byHTTP), "pods panic"},
		"on an object of the wrong shape":     {cluster{labels: optedIn}, `{"spec":{"containers":"many"}}`, "pods decode"},
		"on a quantity that is none":          {cluster{labels: optedIn}, `{"spec":{"containers":[{"resources":{"limits":{"cpu":"few"}}}]}}`, "pods decode"},
		"on an object without a single field": {cluster{labels: optedIn}, `[]`, "pods decode"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			h, n := newHook(t, "pods", c.cluster)
			a := post(t, h, reviewOf("", "Pod", "CREATE", c.object, ""))
			if !a.Response.Allowed || len(a.Response.Patch) > 0 || len(a.Response.Warnings) != 1 || a.Response.Audit["error"] == "" {
				t.Errorf("answer %s", a.text)
			}
			if !slices.Equal(n.failures, []string{c.failure}) {
				t.Errorf("counted %v, want %s", n.failures, c.failure)
			}
		})
	}
}

func TestOnlyNewPodsAreTouched(t *testing.T) {
	t.Parallel()
	h, _ := newHook(t, "pods", cluster{labels: optedIn})
	for _, body := range []string{
		reviewOf("", "Pod", "UPDATE", asking("", byHTTP), ""), reviewOf("apps", "Deployment", "CREATE", workload, ""), reviewOf("example.com", "Pod", "CREATE", asking("", byHTTP), ""),
	} {
		if a := post(t, h, body); !a.Response.Allowed || len(a.Response.Patch) > 0 || len(a.Response.Warnings) > 0 {
			t.Errorf("answer %s", a.text)
		}
	}
}

func TestAWorkloadThatLeavesItToTheAgentIsNotAnnotated(t *testing.T) {
	t.Parallel()
	object := `{"metadata":{"name":"web"},"spec":{"template":{"metadata":{"annotations":{` + byHTTP + `}},
		"spec":{"containers":[{"name":"web","volumeMounts":[{"name":"tls","mountPath":"/etc/tls"}]}],"volumes":[{"name":"tls","secret":{"secretName":"web-tls"}}]}}}}`
	h, n := newHook(t, "reload", cluster{labels: optedIn})
	if a := post(t, h, reviewOf("apps", "Deployment", "CREATE", object, "")); strings.Contains(string(a.Response.Patch), "reloader") || len(a.Response.Warnings) > 0 {
		t.Errorf("answer %s", a.text)
	}
	if !slices.Equal(n.decisions, []string{"reload patch sidecar CREATE false"}) {
		t.Errorf("counted %q", n.decisions)
	}
	old, n := newHook(t, "reload", cluster{labels: optedIn, features: mutate.Features{NativeSidecars: "the kubelet of node a is v1.27.0"}})
	a := post(t, old, reviewOf("apps", "Deployment", "CREATE", object, ""))
	if len(a.Response.Patch) == 0 || len(a.Response.Warnings) != 1 || !strings.Contains(a.Response.Warnings[0], "node a") {
		t.Errorf("answer %s", a.text)
	}
	if !slices.Equal(n.decisions, []string{"reload patch annotated CREATE false"}) {
		t.Errorf("counted %q", n.decisions)
	}
	unknown, n := newHook(t, "reload", cluster{labels: optedIn, featureless: true})
	if a := post(t, unknown, reviewOf("apps", "Deployment", "CREATE", object, "")); !a.Response.Allowed || !slices.Equal(n.failures, []string{"reload cache"}) {
		t.Errorf("answer %s, counted %v", a.text, n.failures)
	}
}
