package main

import (
	"bytes"
	"strings"
	"testing"
)

// completed is what the shell is told for a command line. Nobody answers at its API server.
func completed(t *testing.T, line ...string) string {
	t.Helper()
	cmd := newCommand()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&bytes.Buffer{})
	cmd.SetArgs(append([]string{"__complete"}, line...))
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	const nobody = "--server=https://127.0.0.1:1"
	for sentence, c := range map[string]struct {
		line []string
		want string
	}{
		"the commands":                         {[]string{"ch"}, "check\t"},
		"the kinds that can be explained":      {[]string{"explain", ""}, "certificate/\ndaemonset/\ndeployment/\npod/\nstatefulset/\n:6\n"},
		"the beginning of one":                 {[]string{"explain", "st"}, "statefulset/\n:6\n"},
		"a kind that there is not":             {[]string{"explain", "service/"}, ":4\n"},
		"names, where no API server answers":   {[]string{"check", nobody, ""}, ":4\n"},
		"nothing behind the one name":          {[]string{"check", nobody, "web", ""}, ":4\n"},
		"domains, where no API server answers": {[]string{"budget", nobody, ""}, ":4\n"},
		"ways to dial":                         {[]string{"check", "--dial=d"}, "forward\ndirect\n:4\n"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := completed(t, c.line...); !strings.HasPrefix(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestWordsThatBeginAlike(t *testing.T) {
	t.Parallel()
	if got := strings.Join(beginning("we", []string{"web", "api", "web", "", "wet"}), " "); got != "web wet" {
		t.Error(got)
	}
}
