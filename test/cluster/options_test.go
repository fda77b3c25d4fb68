package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseOptions(t *testing.T) {
	t.Parallel()
	o, err := parseOptions([]string{
		"--audit-log", "audit.json", "--until-stdin-closes",
		"--apiserver-arg", "--v=4", "--apiserver-arg=--feature-gates=A=true,B=false",
	})
	if err != nil {
		t.Fatal(err)
	}
	if !filepath.IsAbs(o.auditLog) || filepath.Base(o.auditLog) != "audit.json" {
		t.Errorf("the audit log is %q, want an absolute path", o.auditLog)
	}
	if o.kubeconfig != "" || o.cache != "" {
		t.Errorf("flags that were not given have values: %+v", o)
	}
	if want := []string{"--v=4", "--feature-gates=A=true,B=false"}; !slices.Equal(o.apiServerArgs, want) {
		t.Errorf("the API server's arguments are %q, want %q", o.apiServerArgs, want)
	}
	if !o.untilStdinCloses {
		t.Error("--until-stdin-closes was lost")
	}
}

func TestWrongUse(t *testing.T) {
	t.Parallel()
	foreign := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(foreign, []byte("apiVersion: v1\nkind: Config\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args []string
		says string
	}{
		"an unknown flag is named":                       {[]string{"--fast"}, "-fast"},
		"an argument that is no flag is named":           {[]string{"start"}, `"start"`},
		"somebody else's kubeconfig is not replaced":     {[]string{"--kubeconfig", foreign}, foreign},
		"a folder cannot be the audit log":               {[]string{"--audit-log", t.TempDir()}, "is a folder"},
		"a flag that needs a value says that it does":    {[]string{"--cache"}, "needs an argument"},
		"an image without a node is of no use":           {[]string{"--image", "a:b=" + foreign}, "--node"},
		"an image needs a name and a path":               {[]string{"--node", "--image", "a:b"}, "NAME=PATH"},
		"an image's path has to be there":                {[]string{"--node", "--image", "a:b=" + foreign + "-missing"}, "-missing"},
		"a switch does not take a value that is no bool": {[]string{"--keep=often"}, "often"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			if code := run(test.args, strings.NewReader(""), &stdout, &stderr); code != exitUsage {
				t.Errorf("the exit code is %d, want %d", code, exitUsage)
			}
			if !strings.Contains(stderr.String(), test.says) {
				t.Errorf("the message does not say %q:\n%s", test.says, stderr.String())
			}
			if stdout.Len() > 0 {
				t.Errorf("standard output got %q", stdout.String())
			}
		})
	}
}

func TestHelpNamesEveryFlag(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	if code := run([]string{"--help"}, strings.NewReader(""), &stdout, &stderr); code != exitOK {
		t.Fatalf("the exit code is %d: %s", code, stderr.String())
	}
	for line := range strings.SplitSeq(stdout.String(), "\n") {
		name, isFlag := strings.CutPrefix(line, "  --")
		if !isFlag {
			continue
		}
		name, _, _ = strings.Cut(name, " ")
		if name == "help" {
			continue
		}
		// Without a value a string flag says so; an unknown one says something else.
		_, err := parseOptions([]string{"--" + name})
		if err != nil && !strings.Contains(err.Error(), "needs an argument") {
			t.Errorf("--%s is in the help but not understood: %v", name, err)
		}
	}
	if _, err := parseOptions([]string{"-h"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h returned %v", err)
	}
}

func TestReadyLine(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ audit, want string }{
		"with an audit log":    {"/a/log", "ready kubeconfig=/k/config bin=/b/bin audit=/a/log pid=42\n"},
		"without an audit log": {"", "ready kubeconfig=/k/config bin=/b/bin audit= pid=42\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := readyLine("/k/config", "/b/bin", test.audit, 42); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
