package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// run runs the command line and returns what it prints and its exit code.
func run(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, messages bytes.Buffer
	cmd := newCommand()
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&out)
	cmd.SetErr(&messages)
	err := cmd.ExecuteContext(t.Context())
	var o *outcomeError
	switch {
	case errors.As(err, &o):
		code = o.code
	case err != nil:
		messages.WriteString(err.Error())
		code = failed
	}
	return out.String(), messages.String(), code
}

const refusedText = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {certwire.dev/issuance: deny}}
---
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: le}
spec: {acme: {server: "https://acme-v02.api.letsencrypt.org/directory"}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: web, namespace: shop}
spec: {secretName: web-tls, dnsNames: [www.example.com], issuerRef: {name: le, kind: ClusterIssuer}}
`

func TestLint(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "all.yaml")
	if err := os.WriteFile(file, []byte(refusedText), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(dir, "config.txt")
	if err := os.WriteFile(bad, []byte("kind: Nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for sentence, c := range map[string]struct {
		stdin          string
		args           []string
		code           int
		stdout, stderr string
	}{
		"a refusal in standard input":              {refusedText, []string{"-f", "-"}, 1, "stdin:11 Certificate/web: error: ", "3 objects, 1 error"},
		"the same in a folder":                     {"", []string{"-f", dir}, 1, "all.yaml:11 Certificate/web: error: ", "1 error"},
		"the same for GitHub":                      {"", []string{"-f", file, "-o", "github"}, 1, "::error file=", ""},
		"no input":                                 {"", nil, 2, "", "say what to check"},
		"input without an object":                  {"a: b\n", []string{"-f", "-"}, 2, "", "there is no Kubernetes object in -"},
		"input that cannot be read":                {"a: [\n", []string{"-f", "-"}, 2, "stdin:1: unusable: ", "1 unusable document"},
		"a file that there is not":                 {"", []string{"-f", filepath.Join(dir, "x.yaml")}, 2, "x.yaml: unusable: no such file", ""},
		"a format that there is not":               {"", []string{"-f", file, "-o", "xml"}, 2, "", "--output must be one of"},
		"a configuration that is wrong":            {"", []string{"-f", file, "--config", bad}, 2, "", "problem"},
		"labels that are not labels":               {"", []string{"-f", file, "--namespace-labels", "x"}, 2, "", "must be formatted as key=value"},
		"an issuer that is only short of a solver": {strings.ReplaceAll(refusedText, "acme-v02", "acme-staging-v02"), []string{"-f", "-"}, 0, "warning", "1 warning"},
		"a warning with --strict":                  {strings.ReplaceAll(refusedText, "issuance: deny", "issuance: warn"), []string{"-f", "-", "--strict"}, 1, "warning", "warning"},
		"nothing to say, and said as JSON":         {"apiVersion: v1\nkind: Pod\n", []string{"-f", "-", "-o", "json"}, 0, `"findings": []`, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, code := run(t, c.stdin, append([]string{"lint"}, c.args...)...)
			if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
				t.Errorf("exit code %d, want %d\nstdout: %s\nwant %q\nstderr: %s\nwant %q", code, c.code, stdout, c.stdout, stderr, c.stderr)
			}
			if strings.Contains(stdout, "\x1b") {
				t.Error("colour in what is no terminal")
			}
		})
	}
}

func TestVersionAndCompletion(t *testing.T) {
	t.Parallel()
	if out, _, code := run(t, "", "version"); code != 0 || !strings.HasPrefix(out, "kubectl-certwire ") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if out, _, code := run(t, "", "completion", "bash"); code != 0 || !strings.Contains(out, "bash completion") {
		t.Errorf("exit code %d: %.100s", code, out)
	}
	if out, _, code := run(t, "", "__complete", "lint", "-o", ""); code != 0 || !strings.Contains(out, "sarif") {
		t.Errorf("exit code %d: %s", code, out)
	}
}
