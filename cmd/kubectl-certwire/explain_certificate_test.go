package main

import (
	"slices"
	"testing"
)

func TestCertificatesAndWorkloadsAreExplainedApart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args, want []string
		fails      bool
	}{
		{args: nil}, {args: []string{"deployment/web", "pod/x"}},
		{args: []string{"certificate/web", "certs/api"}, want: []string{"web", "api"}},
		{args: []string{"certificate/web", "deployment/web"}, fails: true},
	} {
		if got, err := certificateNames(c.args); (err != nil) != c.fails || !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, %v", c.args, got, err)
		}
	}
}
