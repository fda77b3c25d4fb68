package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		args  []string
		wants []string
	}{
		"a certificate needs its key":     {[]string{"--tls-cert-file=a"}, []string{"--tls-cert-file and --tls-private-key-file go together"}},
		"copies are a part of deliveries": {[]string{"--delivery-mirrors"}, []string{"--delivery-mirrors needs --delivery"}},
		"every problem is reported":       {[]string{"--log-format=xml", "--bind-address=here", "--shutdown-delay=-1s", "--namespace="}, []string{`got "xml"`, `got "here"`, "must not be negative", "must not be empty"}},
		"an argument is not a flag":       {[]string{"start"}, []string{"unknown command"}},
		"an unknown flag":                 {[]string{"--fail-open"}, []string{"unknown flag: --fail-open"}},
		"a missing configuration is said": {[]string{"--config=/does/not/exist"}, []string{"reading the configuration", "no such file"}},
		"a missing kubeconfig is said":    {[]string{"--kubeconfig=/does/not/exist"}, []string{"finding the API server", "no such file"}},
	} {
		t.Run(sentence, func(t *testing.T) { // one after the other: a run sets the process's loggers
			cmd := newCommand()
			cmd.SetArgs(c.args)
			cmd.SetOut(&bytes.Buffer{})
			err := cmd.ExecuteContext(t.Context())
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range c.wants {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in %q", want, err)
				}
			}
		})
	}
}

func TestHelpNamesEveryFlagWithASentence(t *testing.T) {
	t.Parallel()
	cmd := newCommand()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"--help"})
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"/reload, /pods, /guard and /orders", "--config", "--shutdown-delay", "readiness already failing"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in the help:\n%s", want, out.String())
		}
	}
}

func TestServingNames(t *testing.T) {
	t.Parallel()
	o := &options{namespace: "n", service: "s", dnsNames: []string{"x"}}
	if got := strings.Join(o.servingNames(), " "); got != "s.n.svc s.n.svc.cluster.local x" {
		t.Errorf("names %q", got)
	}
}
