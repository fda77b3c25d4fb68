package main

import (
	"bytes"
	"errors"
	"flag"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseOptions(t *testing.T) {
	t.Parallel()
	o, err := parseOptions([]string{"--kubeconfig", "config", "--count=2", "--until-stdin-closes"})
	if err != nil {
		t.Fatal(err)
	}
	if !filepath.IsAbs(o.kubeconfig) || filepath.Base(o.kubeconfig) != "config" {
		t.Errorf("the kubeconfig is %q, want an absolute path", o.kubeconfig)
	}
	if o.count != 2 || !o.untilStdinCloses {
		t.Errorf("flags were lost: %+v", o)
	}
	if o.validity != 90*24*time.Hour || o.retryAfter != 1 || o.cache != "" || o.keep || o.buildOnly {
		t.Errorf("flags that were not given have values: %+v", o)
	}
}

func TestWrongUse(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		args []string
		says []string
	}{
		"an unknown flag is named":         {[]string{"--fast"}, []string{"-fast"}},
		"an argument is named":             {[]string{"start"}, []string{`"start"`}},
		"the cluster is asked for":         {nil, []string{"--kubeconfig is needed"}},
		"every problem is told at once":    {[]string{"--count=0", "--retry-after=0"}, []string{"--kubeconfig", "--count is 0", "--retry-after is 0"}},
		"a validity too short for anybody": {[]string{"--kubeconfig=x", "--validity=59m"}, []string{"--validity is 59m0s"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			if code := run(test.args, strings.NewReader(""), &stdout, &stderr); code != exitUsage {
				t.Errorf("the exit code is %d, want %d", code, exitUsage)
			}
			for _, want := range test.says {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("the message does not say %q:\n%s", want, stderr.String())
				}
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
		_, err := parseOptions([]string{"--" + name})
		if err != nil && strings.Contains(err.Error(), "not defined") {
			t.Errorf("--%s is in the help but not understood: %v", name, err)
		}
	}
	if _, err := parseOptions([]string{"-h"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h returned %v", err)
	}
}

func TestReadyLine(t *testing.T) {
	t.Parallel()
	got := readyLine(7, []string{"https://localhost:1/dir", "https://localhost:2/dir"}, "/d/ca.crt", []string{"/d/0.log", "/d/1.log"}, "/d/c.log")
	want := "ready pid=7 acme=https://localhost:1/dir,https://localhost:2/dir ca=/d/ca.crt log=/d/0.log,/d/1.log controllers=/d/c.log\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
