// Package alerts holds the alert rules of manifests/alerts to what they promise: promtool accepts them and has every alert
// fire and keep quiet when it should, every metric in them exists, and every alert has a page that says what to do.
package alerts

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/certwire/certwire/test/harness"
)

// group is one of a rule file.
type group struct {
	Name  string `json:"name"`
	Rules []rule `json:"rules"`
}

// rule is an alert, or an expression that is recorded under a name.
type rule struct {
	Alert       string            `json:"alert,omitempty"`
	Record      string            `json:"record,omitempty"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

func file(parts ...string) string {
	return filepath.Join(append([]string{harness.Root()}, parts...)...)
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func rules(t *testing.T) []group {
	t.Helper()
	var plain struct {
		Groups []group `json:"groups"`
	}
	read(t, file("manifests", "alerts", "certwire.rules.yaml"), &plain)
	return plain.Groups
}

// alerts are the rules that are, in their order.
func alerts(t *testing.T) (out []rule) {
	t.Helper()
	for _, g := range rules(t) {
		for _, r := range g.Rules {
			if r.Alert != "" {
				out = append(out, r)
			}
		}
	}
	return out
}

var installing sync.Mutex

// promtool finds the program, and installs Debian's package of it where tests must not be skipped.
func promtool(t *testing.T) string {
	t.Helper()
	installing.Lock()
	defer installing.Unlock()
	path, err := exec.LookPath("promtool")
	if err == nil {
		return path
	}
	if os.Getenv(harness.RequireNode) == "" || os.Geteuid() != 0 {
		t.Skip("SKIPPED: promtool is not installed; it is in Debian's package prometheus")
	}
	for _, args := range [][]string{{"update"}, {"install", "-y", "--no-install-recommends", "prometheus"}} {
		cmd := exec.CommandContext(t.Context(), "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1") // starts no service
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("apt-get %v: %v\n%s", args, err, out)
		}
	}
	if path, err = exec.LookPath("promtool"); err != nil {
		t.Fatal(err)
	}
	return path
}

func command(t *testing.T, program string, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	return string(out), err
}

func TestPromtoolAcceptsTheRulesAndTheirTests(t *testing.T) {
	t.Parallel()
	program := promtool(t)
	for _, args := range [][]string{{"check", "rules", file("manifests", "alerts", "certwire.rules.yaml")}, {"test", "rules", file("manifests", "alerts", "certwire.tests.yaml")}} {
		if out, err := command(t, program, args...); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args[:2], " "), err, out)
		}
	}
}

func TestEveryAlertIsSeenToFireAndToKeepQuiet(t *testing.T) {
	t.Parallel()
	var tests struct {
		RuleFiles          []string `json:"rule_files"`
		EvaluationInterval string   `json:"evaluation_interval"`
		Tests              []struct {
			Name        string `json:"name"`
			Interval    string `json:"interval"`
			InputSeries []any  `json:"input_series"`
			Cases       []struct {
				Alert    string `json:"alertname"`
				Time     string `json:"eval_time"`
				Expected []any  `json:"exp_alerts"`
			} `json:"alert_rule_test"`
			Expressions []struct {
				Expr     string `json:"expr"`
				Time     string `json:"eval_time"`
				Expected []any  `json:"exp_samples"`
			} `json:"promql_expr_test"`
		} `json:"tests"`
	}
	read(t, file("manifests", "alerts", "certwire.tests.yaml"), &tests)
	fires, quiet, recorded := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, test := range tests.Tests {
		for _, c := range test.Cases {
			if len(c.Expected) > 0 {
				fires[c.Alert] = true
			} else {
				quiet[c.Alert] = true
			}
		}
		for _, c := range test.Expressions {
			recorded[c.Expr] = recorded[c.Expr] || len(c.Expected) > 0
		}
	}
	for _, g := range rules(t) {
		for _, r := range g.Rules {
			switch {
			case r.Record != "" && !recorded[r.Record]:
				t.Errorf("%s: no case in which it has a value", r.Record)
			case r.Alert != "" && (!fires[r.Alert] || !quiet[r.Alert]):
				t.Errorf("%s: a case in which it fires: %v, in which it does not: %v", r.Alert, fires[r.Alert], quiet[r.Alert])
			}
		}
	}
}

func TestEveryAlertHasAPage(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, r := range alerts(t) {
		known[r.Alert] = true
		if want := "https://github.com/certwire/certwire/blob/main/docs/runbooks/" + r.Alert + ".md"; r.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url is %q", r.Alert, r.Annotations["runbook_url"])
		}
		severity, summary := r.Labels["severity"], r.Annotations["summary"]
		if !slices.Contains([]string{"info", "warning", "critical"}, severity) || summary == "" || r.Annotations["description"] == "" || r.For == "" {
			t.Errorf("%s: for %q, labels %v, annotations %v", r.Alert, r.For, r.Labels, r.Annotations)
		}
		page, err := os.ReadFile(file("docs", "runbooks", r.Alert+".md"))
		if err != nil {
			t.Error(err)
		}
		last := -1
		for _, heading := range []string{
			"# " + r.Alert + "\n\n" + summary + " Severity: " + severity + ".\n", "\n## Meaning\n", "\n## Impact\n", "\n## Diagnosis\n", "\n## Mitigation\n",
		} {
			at := strings.Index(string(page), heading)
			if at <= last {
				t.Errorf("%s: its page has no %q, or not in its place", r.Alert, strings.TrimSpace(heading))
			}
			last = at
		}
	}
	pages, err := filepath.Glob(file("docs", "runbooks", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if name := strings.TrimSuffix(filepath.Base(page), ".md"); !known[name] {
			t.Errorf("docs/runbooks/%s.md is for no alert", name)
		}
	}
}

// foreign are the metrics of others, with where they are made: cert-manager internal/collectors and pkg/metrics (v1.21),
// kubernetes staging/src/k8s.io/apiserver/pkg/admission/metrics.
var foreign = []string{
	"certmanager_clock_time_seconds_gauge", "certmanager_clock_time_seconds", "certmanager_certificate_ready_status",
	"certmanager_certificate_renewal_timestamp_seconds", "certmanager_certificate_not_after_timestamp_seconds",
	"certmanager_certificate_not_before_timestamp_seconds", "certmanager_http_acme_client_request_count",
	"certmanager_certificate_challenge_status", "certmanager_clusterissuer_ready_status", "certmanager_issuer_ready_status",
	"apiserver_admission_webhook_fail_open_count", "apiserver_admission_webhook_rejection_count",
}

var (
	metric = regexp.MustCompile(`\b(?:certwire|certmanager|apiserver)_[a-z_]+\b`)
	quoted = regexp.MustCompile(`"(certwire_[a-z_]+)"`)
)

// metrics are the names that there are.
func metrics(t *testing.T) []string {
	t.Helper()
	known := slices.Clone(foreign)
	for _, folder := range []string{"cmd", "pkg"} {
		err := filepath.WalkDir(file(folder), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range quoted.FindAllStringSubmatch(string(text), -1) {
				known = append(known, m[1])
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return known
}

// exist fails the test for a metric of a query that nobody makes. A histogram makes several.
func exist(t *testing.T, who, query string, known []string) {
	t.Helper()
	for _, name := range metric.FindAllString(query, -1) {
		histogram := strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count")
		if !slices.Contains(known, name) && !slices.Contains(known, histogram) {
			t.Errorf("%s asks for %s, which nobody makes", who, name)
		}
	}
}

func TestEveryMetricExists(t *testing.T) {
	t.Parallel()
	known := metrics(t)
	for _, g := range rules(t) {
		for _, r := range g.Rules {
			exist(t, r.Alert+r.Record, r.Expr, known)
		}
	}
}

// TestThePrometheusRuleIsTheSame compares it with the plain file. UPDATE_GOLDEN=true writes it.
func TestThePrometheusRuleIsTheSame(t *testing.T) {
	t.Parallel()
	path := file("manifests", "components", "alerts", "prometheusrule.yaml")
	want := map[string]any{
		"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule",
		"metadata": map[string]any{"name": "certwire", "namespace": harness.Namespace},
		"spec":     map[string]any{"groups": rules(t)},
	}
	text, err := yaml.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	text = append([]byte("# Written by make generate from manifests/alerts/certwire.rules.yaml.\n"), text...)
	if os.Getenv("UPDATE_GOLDEN") == "true" {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(text), string(got)); diff != "" {
		t.Errorf("%s is not the plain file's (make generate writes it):\n%s", path, diff)
	}
}
