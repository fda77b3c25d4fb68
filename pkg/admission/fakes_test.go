package admission

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-logr/logr/testr"
	corev1 "k8s.io/api/core/v1"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/config"
	"github.com/certwire/certwire/pkg/mutate"
	"github.com/certwire/certwire/pkg/policy"
)

// cluster is a fake of the inventory with a fixed answer to everything; the real one is tested end to end.
type cluster struct {
	notReady, noNamespaces error
	missing                bool
	labels                 map[string]string
	issuer                 policy.Issuer
	renewal                bool
	panics                 bool
	creations              []bool
	born                   time.Time
	features               mutate.Features
	featureless            bool
	owners                 map[string]string
}

func (c cluster) Ready() error    { return c.notReady }
func (c cluster) Installed() bool { return !c.missing }
func (c cluster) NamespaceLabels(context.Context, string) (map[string]string, error) {
	return c.labels, c.noNamespaces
}

func (c cluster) Certificates(_, secret string) []mutate.Certificate {
	if c.panics {
		panic("a bug")
	}
	if secret == "web-tls" {
		return []mutate.Certificate{{Name: "web"}}
	}
	return nil
}
func (c cluster) Features() (mutate.Features, bool) { return c.features, !c.featureless }

func (c cluster) Limits(string) []corev1.LimitRangeItem { return nil }

func (c cluster) OwnerLabel(_, _, name string) string { return c.owners[name] }

func (c cluster) Reloader() mutate.Reloader {
	return mutate.Reloader{Found: true, Keys: mutate.DefaultKeys()}
}

func (c cluster) Issuer(_ string, ref policy.IssuerRef, _ acme.Directories) policy.Issuer {
	if c.panics {
		panic("a bug")
	}
	i := c.issuer
	i.Ref = ref
	return i
}
func (c cluster) StagingIssuer(string, string, acme.Directories) *policy.Issuer { return nil }
func (c cluster) DueRenewal(string, policy.Renewal, acme.Directories, time.Time) bool {
	return c.renewal
}
func (c cluster) RenewalWindowOpen(string, string, time.Time) bool { return false }
func (c cluster) Creations(string, string, time.Time) []bool       { return c.creations }
func (c cluster) NamespaceCreated(string) time.Time                { return c.born }
func (c cluster) NamespacesUsing(policy.IssuerRef) []string        { return []string{"a"} }
func (c cluster) IngressClasses() []string                         { return []string{"nginx"} }
func (c cluster) Users(string, policy.IssuerRef) []policy.User {
	return []policy.User{{Namespace: "shop", Name: "web", Names: []string{"*.example.com", "www.example.com"}}}
}
func (c cluster) Rehearsals(string, policy.Kind, string, acme.Directories) []policy.Issuer {
	return nil
}
func (c cluster) MayBreakGlass(context.Context, Requester, string, policy.RuleName) (bool, error) {
	return false, errors.New("away")
}

// counts records what a hook reports.
type counts struct{ decisions, failures, rules []string }

func (c *counts) Decision(hook, verdict, reason, operation string, dryRun bool) {
	c.decisions = append(c.decisions, fmt.Sprint(hook, " ", verdict, " ", reason, " ", operation, " ", dryRun))
}
func (c *counts) Rule(rule, mode, verdict string) {
	c.rules = append(c.rules, rule+" "+mode+" "+verdict)
}
func (c *counts) Failure(hook string, stage Stage) {
	c.failures = append(c.failures, hook+" "+string(stage))
}
func (c *counts) Observe(string, time.Duration) {}

var productionIssuer = policy.Issuer{Found: true, ACME: true,
	Directory: acme.Directory{Host: "acme-v02.api.letsencrypt.org", CA: acme.LetsEncrypt, Stage: acme.Production}}

func newHook(t testing.TB, name string, c cluster) (*Hook, *counts) {
	t.Helper()
	n := &counts{}
	h := &Hook{Recorder: n}
	if tt, ok := t.(*testing.T); ok {
		h.Log = testr.New(tt)
	}
	agent := func() *config.Settings {
		return &config.Settings{Agent: mutate.Agent{Enabled: true, Image: "registry.example/agent:v0", User: 65532, SharesProcesses: true, Method: "self"}}
	}
	switch name {
	case "reload":
		h.Reviewer = &Reload{Workloads: c, Settings: agent, Recorder: n, Version: "v0"}
		return h, n
	case "pods":
		h.Reviewer = &Pods{Templates: c, Settings: agent, Recorder: n, Version: "v0"}
		return h, n
	}
	set, err := policy.NewSet(policy.Rules())
	if err != nil {
		t.Fatal(err)
	}
	h.Reviewer = &Guard{Issuance: c, Permissions: c, Rules: set, Recorder: n, Now: time.Now, Closed: name == "orders",
		Settings: func() *config.Settings { return &config.Settings{} }}
	return h, n
}

// answer is what comes back on the wire.
type answer struct {
	code     int
	text     string
	Kind     string `json:"kind"`
	Response struct {
		UID       string            `json:"uid"`
		Allowed   bool              `json:"allowed"`
		Patch     []byte            `json:"patch"`
		PatchType string            `json:"patchType"`
		Warnings  []string          `json:"warnings"`
		Audit     map[string]string `json:"auditAnnotations"`
		Status    struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"status"`
	} `json:"response"`
}

func post(t testing.TB, h http.Handler, body string) answer {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/x?timeout=3s", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	a := answer{code: w.Code, text: w.Body.String()}
	if w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
	}
	return a
}

func reviewOf(group, kind, operation, object, old string) string {
	if old == "" {
		old = "null"
	}
	return `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u-1","kind":{"group":"` + group +
		`","version":"v1","kind":"` + kind + `"},"namespace":"shop","operation":"` + operation +
		`","userInfo":{"username":"alice","extra":{"a":["b"]}},"object":` + object + `,"oldObject":` + old + `,"dryRun":false,"options":{}}}`
}

const (
	workload = `{"kind":"Deployment","metadata":{"name":"web"},"spec":{"template":{"spec":{"volumes":[{"name":"a","secret":{"secretName":"web-tls"}}]}}}}`
	order    = `{"metadata":{"name":"web-1"},"spec":{"issuerRef":{"name":"prod"}}}`
)

var optedIn = map[string]string{"certwire.dev/reload": "auto", "certwire.dev/issuance": "deny"}
