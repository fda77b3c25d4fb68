package policy

import (
	"testing"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	"sigs.k8s.io/yaml"
)

func solvers(t *testing.T, text string) []acmeapi.ACMEChallengeSolver {
	t.Helper()
	var list []acmeapi.ACMEChallengeSolver
	if err := yaml.UnmarshalStrict([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestPickSolver holds the choice to cert-manager's (pkg/util/solverpicker).
func TestPickSolver(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		solvers, name string
		labels        map[string]string
		want          int // -1 for none
	}{
		"a solver without a selector takes everything":      {`[{http01: {}}]`, "a.example.com", nil, 0},
		"no solvers are none":                               {`[]`, "a.example.com", nil, -1},
		"a wildcard is not proved by HTTP-01":               {`[{http01: {}}]`, "*.example.com", nil, -1},
		"a wildcard passes by HTTP-01 for DNS-01":           {`[{http01: {}}, {dns01: {}}]`, "*.example.com", nil, 1},
		"an address is not proved by DNS-01":                {`[{dns01: {}}]`, "192.0.2.1", nil, -1},
		"an IPv6 address is proved by HTTP-01":              {`[{dns01: {}}, {http01: {}}]`, "2001:db8::1", nil, 1},
		"a solver without a challenge takes nothing":        {`[{}]`, "a.example.com", nil, -1},
		"the first of equals wins":                          {`[{http01: {}}, {dns01: {}}]`, "a.example.com", nil, 0},
		"an empty selector is as good as none":              {`[{http01: {}}, {dns01: {}, selector: {}}]`, "a.example.com", nil, 0},
		"a name beats a zone":                               {`[{http01: {}, selector: {dnsZones: [a.example.com]}}, {http01: {}, selector: {dnsNames: [a.example.com]}}]`, "a.example.com", nil, 1},
		"a zone beats labels":                               {`[{http01: {}, selector: {matchLabels: {a: b, c: d}}}, {http01: {}, selector: {dnsZones: [com]}}]`, "a.example.com", map[string]string{"a": "b", "c": "d"}, 1},
		"the longer zone wins":                              {`[{http01: {}, selector: {dnsZones: [com, x.org]}}, {http01: {}, selector: {dnsZones: [example.com]}}]`, "a.example.com", nil, 1},
		"more labels win":                                   {`[{http01: {}}, {http01: {}, selector: {matchLabels: {a: b}}}]`, "a.example.com", map[string]string{"a": "b"}, 1},
		"all labels must be there":                          {`[{http01: {}, selector: {matchLabels: {a: b, c: d}}}]`, "a.example.com", map[string]string{"a": "b"}, -1},
		"all three selectors must match":                    {`[{http01: {}, selector: {dnsNames: [a.example.com], dnsZones: [example.org]}}]`, "a.example.com", nil, -1},
		"a name in dnsNames is not a zone":                  {`[{http01: {}, selector: {dnsNames: [example.com]}}]`, "a.example.com", nil, -1},
		"names are asked for in lower case":                 {`[{http01: {}, selector: {dnsNames: [a.example.com]}}]`, "A.Example.com", nil, 0},
		"a dnsNames entry in upper case never matches":      {`[{http01: {}, selector: {dnsNames: [A.example.com]}}]`, "A.example.com", nil, -1},
		"a zone in upper case does":                         {`[{http01: {}, selector: {dnsZones: [EXAMPLE.com]}}]`, "a.example.com", nil, 0},
		"a zone that ends in a dot covers nothing":          {`[{http01: {}, selector: {dnsZones: [example.com.]}}]`, "a.example.com", nil, -1},
		"a zone is itself in the zone":                      {`[{http01: {}, selector: {dnsZones: [example.com]}}]`, "example.com", nil, 0},
		"a zone is whole labels":                            {`[{http01: {}, selector: {dnsZones: [ample.com]}}]`, "a.example.com", nil, -1},
		"a zone covers wildcards below it":                  {`[{dns01: {}, selector: {dnsZones: [example.com]}}]`, "*.example.com", nil, 0},
		"a zone with an asterisk covers no name below it":   {`[{dns01: {}, selector: {dnsZones: ["*.example.com"]}}]`, "a.example.com", nil, -1},
		"a zone with an asterisk covers that wildcard":      {`[{dns01: {}, selector: {dnsZones: ["*.example.com"]}}]`, "*.example.com", nil, 0},
		"an empty zone covers nothing":                      {`[{http01: {}, selector: {dnsZones: [""]}}]`, "a.example.com", nil, -1},
		"a selector that does not match leaves the default": {`[{http01: {}}, {dns01: {}, selector: {dnsZones: [example.org]}}]`, "a.example.com", nil, 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			got, ok := PickSolver(NewSolvers(solvers(t, c.solvers)), c.name, c.labels)
			if ok != (c.want >= 0) || got != c.want {
				t.Errorf("got %d, %v; want %d", got, ok, c.want)
			}
		})
	}
}

func TestSameSolvers(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		a, b string
		want bool
	}{
		"none and none":                        {`[]`, `null`, true},
		"an empty selector and none":           {`[{http01: {}, selector: {}}]`, `[{http01: {}}]`, true},
		"zones in another order":               {`[{http01: {}, selector: {dnsZones: [a, b]}}]`, `[{http01: {}, selector: {dnsZones: [b, a]}}]`, true},
		"another zone":                         {`[{http01: {}, selector: {dnsZones: [a]}}]`, `[{http01: {}, selector: {dnsZones: [b]}}]`, false},
		"solvers in another order":             {`[{http01: {}}, {dns01: {}}]`, `[{dns01: {}}, {http01: {}}]`, false},
		"another DNS provider":                 {`[{dns01: {cloudflare: {email: a@example.com}}}]`, `[{dns01: {cloudflare: {email: b@example.com}}}]`, false},
		"another class":                        {`[{http01: {ingress: {ingressClassName: a}}}]`, `[{http01: {ingress: {class: a}}}]`, false},
		"another pod template":                 {`[{http01: {ingress: {podTemplate: {spec: {nodeSelector: {a: b}}}}}}]`, `[{http01: {ingress: {}}}]`, false},
		"the same wait in another spelling is": {`[{http01: {}, waitInsteadOfSelfCheck: 60s}]`, `[{http01: {}, waitInsteadOfSelfCheck: 1m}]`, true},
	} {
		if got := sameSolvers(solvers(t, c.a), solvers(t, c.b)); got != c.want {
			t.Errorf("%s: %v", sentence, got)
		}
	}
}
