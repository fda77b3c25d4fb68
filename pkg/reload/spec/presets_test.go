package spec_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/pkg/reload/spec"
)

func TestPresets(t *testing.T) {
	t.Parallel()
	var names []string
	for _, p := range spec.Presets() {
		names = append(names, p.Name)
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			s, err := spec.Parse(spec.Values{Preset: p.Name})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(p.Methods, s.Methods); diff != "" {
				t.Error(diff)
			}
			if (p.HTTP != "") != (s.HTTP != nil) || (p.Socket != "") != (s.Socket != nil) {
				t.Error("a text of the table cannot be read")
			}
			for _, e := range s.Verify {
				again, err := spec.ParseVerify(e.String())
				if err != nil || !slices.Equal(again, []spec.Endpoint{e}) {
					t.Errorf("endpoint %s: %v", e, err)
				}
			}
			if len(s.Verify) == 0 {
				t.Error("nothing is verified")
			}
		})
	}
	if !slices.IsSorted(names) {
		t.Errorf("not in the order of their names: %v", names)
	}
	for _, wanted := range []string{
		"nginx", "haproxy", "envoy", "postgres", "mysql", "mariadb", "redis", "mongodb", "rabbitmq", "mosquitto", "prometheus",
		"grafana", "vault", "traefik", "caddy",
	} {
		if !slices.Contains(names, wanted) {
			t.Errorf("%s is missing", wanted)
		}
	}
}

// TestProtocols holds the names to those of package probe, which this room may not touch.
func TestProtocols(t *testing.T) {
	t.Parallel()
	var want []string
	for _, p := range probe.Protocols() {
		want = append(want, string(p))
	}
	if diff := cmp.Diff(want, spec.Protocols()); diff != "" {
		t.Error(diff)
	}
}
