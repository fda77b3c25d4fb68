package lint

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/manifest"
	"github.com/certwire/certwire/pkg/policy"
)

// mixed has a refusal, a warning, a note and a document that cannot be read.
func mixed(t *testing.T) *Report {
	t.Helper()
	r := checkCase(t, "testdata/cases/several-rules-each-by-its-name")
	more := checkCase(t, "testdata/cases/a-document-that-cannot-be-read")
	r.Findings, r.Problems = append(r.Findings, more.Findings...), append(r.Problems, more.Problems...)
	r.Problems = append(r.Problems, Problem{File: "a b,c:d.yaml", Text: "100 %\nunreadable"})
	return r
}

func written(t *testing.T, r *Report, format string) string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, r, format, "v1.2.3"); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestJSON(t *testing.T) {
	t.Parallel()
	want := mixed(t)
	var got Report
	if err := json.Unmarshal([]byte(written(t, want, "json")), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Findings) != len(want.Findings) || got.Findings[0] != want.Findings[0] || len(got.Problems) != len(want.Problems) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	empty := written(t, Check(nil, nil, optionsOf(t, "testdata/cases/a-list")), "json")
	for _, want := range []string{`"findings": []`, `"problems": []`} {
		if !strings.Contains(empty, want) {
			t.Errorf("no %s in %s", want, empty)
		}
	}
}

// TestSARIF holds what is written against what the schema of SARIF 2.1.0 requires: the members below are those in its
// "required" lists that a log of ours has objects for, and values come from its enumerations.
func TestSARIF(t *testing.T) {
	t.Parallel()
	r := mixed(t)
	var log map[string]any
	if err := json.Unmarshal([]byte(written(t, r, "sarif")), &log); err != nil {
		t.Fatal(err)
	}
	if log["version"] != "2.1.0" || !strings.HasSuffix(text(t, log, "$schema"), "sarif-schema-2.1.0.json") {
		t.Errorf("version %v, schema %v", log["version"], log["$schema"])
	}
	run := member[[]any](t, log, "runs")[0].(map[string]any)
	driver := member[map[string]any](t, member[map[string]any](t, run, "tool"), "driver")
	if text(t, driver, "name") != "certwire" || text(t, driver, "version") != "v1.2.3" {
		t.Errorf("driver %v", driver)
	}
	rules := member[[]any](t, driver, "rules")
	if len(rules) != len(policy.Rules())+3 {
		t.Errorf("%d rules", len(rules))
	}
	invocation := member[[]any](t, run, "invocations")[0].(map[string]any)
	if member[bool](t, invocation, "executionSuccessful") {
		t.Error("successful with input that cannot be used")
	}
	for _, n := range member[[]any](t, invocation, "toolExecutionNotifications") {
		message(t, n.(map[string]any))
	}
	results := member[[]any](t, run, "results")
	if len(results) != len(r.Findings) {
		t.Fatalf("%d results for %d findings", len(results), len(r.Findings))
	}
	for i, entry := range results {
		result := entry.(map[string]any)
		message(t, result)
		id := text(t, result, "ruleId")
		if rule := rules[int(member[float64](t, result, "ruleIndex"))].(map[string]any); rule["id"] != id || id != r.Findings[i].Rule {
			t.Errorf("rule %s has the index of %v", id, rule["id"])
		}
		logical := member[[]any](t, member[[]any](t, result, "locations")[0].(map[string]any), "logicalLocations")
		text(t, logical[0].(map[string]any), "fullyQualifiedName")
	}
}

// message checks what a result and a notification have in common.
func message(t *testing.T, o map[string]any) {
	t.Helper()
	text(t, member[map[string]any](t, o, "message"), "text")
	switch level := text(t, o, "level"); level {
	case "error", "warning", "note":
	default:
		t.Errorf("level %q", level)
	}
	for _, l := range member[[]any](t, o, "locations") {
		physical := member[map[string]any](t, l.(map[string]any), "physicalLocation")
		if uri := text(t, member[map[string]any](t, physical, "artifactLocation"), "uri"); strings.ContainsAny(uri, " \n") {
			t.Errorf("uri %q", uri)
		}
		if region, ok := physical["region"].(map[string]any); ok && member[float64](t, region, "startLine") < 1 {
			t.Errorf("region %v", region)
		}
	}
}

func member[T any](t *testing.T, o map[string]any, name string) T {
	t.Helper()
	v, ok := o[name].(T)
	if !ok {
		t.Fatalf("no %s in %v", name, o)
	}
	return v
}

func text(t *testing.T, o map[string]any, name string) string {
	t.Helper()
	s := member[string](t, o, name)
	if s == "" {
		t.Errorf("%s is empty in %v", name, o)
	}
	return s
}

func TestGitHub(t *testing.T) {
	t.Parallel()
	out := written(t, mixed(t), "github")
	for _, want := range []string{
		"::error file=a b%2Cc%3Ad.yaml,line=1,title=certwire%3A input::100 %25%0Aunreadable\n",
		"::error file=in.yaml,line=14,title=certwire%3A impossible-name::Certificate/web: ",
		"::warning file=in.yaml,line=14,title=certwire%3A no-solver::",
		"::notice file=in.yaml,line=3,title=certwire%3A input::",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("not there: %q\nin: %s", want, out)
		}
	}
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "::") {
			t.Errorf("no command: %q", line)
		}
	}
}

func TestExitCode(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		report       Report
		code, strict int
	}{
		"nothing found is success":        {Report{}, 0, 0},
		"a note is success, even strict":  {Report{Findings: []Finding{{Severity: Note}}}, 0, 0},
		"a warning fails strict alone":    {Report{Findings: []Finding{{Severity: Warning}}}, 0, 1},
		"a refusal fails":                 {Report{Findings: []Finding{{Severity: Refused}}}, 1, 1},
		"unusable input beats a refusal":  {Report{Findings: []Finding{{Severity: Refused}}, Problems: []Problem{{}}}, 2, 2},
		"unusable input alone is a fault": {Report{Problems: []Problem{{}}}, 2, 2},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if code, strict := c.report.ExitCode(false), c.report.ExitCode(true); code != c.code || strict != c.strict {
				t.Errorf("exit code %d, strict %d; want %d, %d", code, strict, c.code, c.strict)
			}
		})
	}
}

func TestAFormatThatThereIsNot(t *testing.T) {
	t.Parallel()
	if err := Write(&bytes.Buffer{}, &Report{}, "xml", ""); err == nil {
		t.Error("no error")
	}
}

// FuzzCheck: no input makes the rules and plans panic, and every finding is of an object of the input.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		"apiVersion: cert-manager.io/v1\nkind: Certificate\nspec: {issuerRef: {name: a, kind: ClusterIssuer}, dnsNames: [a.example.com], renewBefore: 1h}\n---\napiVersion: cert-manager.io/v1\nkind: ClusterIssuer\nmetadata: {name: a}\nspec: {acme: {server: 'https://acme-v02.api.letsencrypt.org/directory'}}\n",
		"apiVersion: apps/v1\nkind: Deployment\nmetadata:\nspec: {template: {metadata: {annotations: {certwire.dev/preset: nginx}}, spec: {volumes: [{secret: {secretName: a}}]}}}\n",
		"apiVersion: v1\nkind: Pod\nspec: null\n", "apiVersion: v1\nkind: Namespace\nmetadata: {labels: {a: b}}\n",
	} {
		f.Add([]byte(seed))
	}
	options := Options{Namespace: "default", NamespaceLabels: map[string]string{"certwire.dev/reload": "auto", "certwire.dev/issuance": "deny"}, Now: goldenNow}
	f.Fuzz(func(t *testing.T, input []byte) {
		options.Settings = optionsOf(t, "testdata/cases/a-list").Settings
		objects, problems := manifest.Read("in", input)
		for _, finding := range Check(objects, problems, options).Findings {
			if finding.Line < 1 || finding.Text == "" || finding.Docs == "" || finding.Rule == "" {
				t.Errorf("%+v", finding)
			}
		}
	})
}
