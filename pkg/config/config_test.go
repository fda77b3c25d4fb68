package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/mutate"
	"github.com/certwire/certwire/pkg/policy"
)

const head = "apiVersion: config.certwire.dev/v1alpha1\nkind: Configuration\n"

func TestEveryProblemIsListed(t *testing.T) {
	t.Parallel()
	_, err := Parse("certwire.yaml", []byte(`
apiVersion: config.certwire.dev/v2
kind: Configuration
environment: {}
environments:
  labels: ["not a key"]
  production: production
  namePatterns:
  - pattern: "prod-["
    environment: prod
  - pattern: 7
issuance:
  mode: enforce
  rules:
    prod-ca: deny
    production-ca: maybe
authorities:
- production: ["https://"]
- name: Corp
- name: Limited
  production: [a.example]
  lifetime: 90 days
  backdate: "-1h"
  limits:
    newOrders: {count: 0, period: 3h}
    certificatesPerSet: {count: 5, burst: -1, period: week}
    certificatesPerDomain: {count: 1, period: 1000000h}
    failedAuthorizations: 5
    certificates: {}
- name: Tested
  staging: [b.example]
  renewalExemption: 1h
adoption:
  enabled: "yes"
  writesPerSecond: fast
  burst: 1.5
agent:
  image: "two words"
  method: http
  runAsUser: -1
  nativeSidecars: maybe
  restartAllContainers: never
  metricsPort: 70000
  permit: {deadline: soon, spread: -1m}
  resources:
    requests: {cpu: 1, memory: 64Mi, disk: 1Gi}
    limits: {memory: 32Mi, cpu: few}
  presets:
    "Shop Server": {method: self}
    shop: {method: signal, process: 12}
    store: {preset: nginxx, colour: red}
`))
	if _, ok := errors.AsType[*InvalidError](err); !ok {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{
		`apiVersion: Unsupported value: "config.certwire.dev/v2"`,
		`environment: Invalid value: unknown field; known here: adoption, agent, apiVersion, authorities, environments, issuance, kind`,
		`environments.labels[0]: Invalid value: "not a key"`,
		`environments.production: Invalid value: "production": must be a list`,
		`environments.namePatterns[0].pattern: Invalid value: "prod-["`,
		`environments.namePatterns[1].pattern: Invalid value: 7: must be a string`,
		`environments.namePatterns[1].environment: Required value`,
		`issuance.mode: Unsupported value: "enforce": supported values: "deny", "off", "warn"`,
		`issuance.rules: Unsupported value: "prod-ca": supported values: "`,
		`issuance.rules[production-ca]: Unsupported value: "maybe"`,
		`authorities[0].name: Required value`,
		`authorities[0]: Invalid value`,
		`authorities[1]: Required value: at least one host in production or staging`,
		`authorities[2].lifetime: Invalid value: "90 days": must be a positive Go duration such as "2160h"`,
		`authorities[2].backdate: Invalid value: "-1h"`,
		`authorities[2].limits.newOrders.count: Invalid value: 0: must be at least 1`,
		`authorities[2].limits.certificatesPerSet.burst: Invalid value: -1`,
		`authorities[2].limits.certificatesPerSet.period: Invalid value: "week"`,
		`authorities[2].limits.certificatesPerDomain: Invalid value: "1000000h": the bucket takes more than fifty years to fill`,
		`authorities[2].limits.failedAuthorizations: Invalid value: 5: must be an object`,
		`agent.image: Invalid value: "two words"`,
		`agent.method: Invalid value: "http": must be self, restart, or self,restart`,
		`agent.runAsUser: Invalid value: -1: must be a user other than root`,
		`agent.nativeSidecars: Unsupported value: "maybe": supported values: "auto", "off", "on"`,
		`agent.restartAllContainers: Unsupported value: "never"`,
		`agent.metricsPort: Invalid value: 70000: must be between 0 and 65535`,
		`agent.permit.deadline: Invalid value: "soon": must be a positive duration such as "30m"`,
		`agent.permit.spread: Invalid value: "-1m"`,
		`agent.resources.requests[cpu]: Invalid value: 1: must be a string`,
		`agent.resources.requests[memory]: Invalid value: "64Mi": must not be more than the limit, 32Mi`,
		`agent.resources.requests: Unsupported value: "disk": supported values: "cpu", "ephemeral-storage", "memory"`,
		`agent.resources.limits[cpu]: Invalid value: "few": must be a quantity`,
		`agent.presets[Shop Server]: Invalid value: "Shop Server": must be a word`,
		`agent.presets[shop].process: Invalid value: 12: must be a string`,
		`agent.presets[shop]: Invalid value: certwire.dev/method="signal" needs certwire.dev/process="nginx"`,
		`agent.presets[store].colour: Invalid value: unknown field`,
		`agent.presets[store]: Invalid value: certwire.dev/preset="nginxx": is not a known server`,
		`authorities[2].limits.certificates: Invalid value: unknown field; known here: certificatesPerDomain, certificatesPerSet, failedAuthorizations, newOrders`,
		`authorities[3].production: Required value: limits, lifetime, backdate and renewalExemption are those of production directories`,
		`adoption.enabled: Invalid value: "yes": must be true or false`,
		`adoption.writesPerSecond: Invalid value: "fast": must be a number`,
		`adoption.burst: Invalid value: 1.5: must be a whole number`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not reported: %s\nin:\n%v", want, err)
		}
	}
}

func TestOtherBadDocuments(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct{ text, want string }{
		"no document at all":        {"", "apiVersion: Unsupported value"},
		"a list":                    {"[]", "must be an object"},
		"a key twice":               {head + "kind: Configuration\n", `"kind" already set`},
		"no YAML":                   {head + "\t{", "yaml:"},
		"a rate that would not end": {head + "adoption: {writesPerSecond: -1}", "must be between 0.01 and 1000"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if _, err := Parse("x", []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestDefaultsAndSettings(t *testing.T) {
	t.Parallel()
	c, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Settings()
	if err != nil {
		t.Fatal(err)
	}
	if s.Modes.For(policy.ProductionCA, nil) != policy.ModeWarn || !*s.Adoption.Enabled || s.Adoption.Burst != 20 || len(s.Hash) != 12 {
		t.Errorf("defaults: %+v", s)
	}
	c, err = Parse("x", []byte(head+`
environments: {labels: [env], production: [live], namePatterns: [{pattern: "l-*", environment: live}]}
issuance: {mode: deny, rules: {production-ca: "off"}}
authorities: [{name: Corp, production: [acme.corp.example]}]
adoption: {enabled: false}
`))
	if err != nil {
		t.Fatal(err)
	}
	if s, err = c.Settings(); err != nil {
		t.Fatal(err)
	}
	if got := s.Directories.Lookup("https://acme.corp.example/x").Stage; got != acme.Production {
		t.Errorf("authority: %s", got)
	}
	if !s.Environments.Of("l-1", nil).Production || s.Modes.For(policy.ProductionCA, nil) != policy.ModeOff || *s.Adoption.Enabled {
		t.Errorf("settings: %+v", s)
	}
}

func TestLimitsOfAnAuthority(t *testing.T) {
	t.Parallel()
	c, err := Parse("x", []byte(head+`
authorities:
- name: Corp
  production: [acme.corp.example]
  lifetime: 720h
  backdate: 1m
  renewalExemption: 48h
  limits:
    newOrders: {count: 10, burst: 20, period: 1h}
    certificatesPerSet: {count: 3, period: 24h}
- name: Ours
  production: [acme-v02.api.letsencrypt.org]
  limits:
    certificatesPerDomain: {count: 500, period: 168h}
- name: Longer
  production: [acme-v02.api.letsencrypt.org]
  lifetime: 2400h
`))
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Settings()
	if err != nil {
		t.Fatal(err)
	}
	got, ok := s.Directories.Service("https://acme.corp.example/dir")
	want := acme.Limits{
		NewOrders:          acme.Limit{Count: 10, Burst: 20, Period: time.Hour},
		CertificatesPerSet: acme.Limit{Count: 3, Burst: 3, Period: 24 * time.Hour},
	}
	lifetime, known := got.Lifetime("", time.Time{})
	if !ok || got.Limits != want || got.Backdate != time.Minute || got.RenewalExemption() != 48*time.Hour || !known || lifetime != 720*time.Hour {
		t.Errorf("got %+v, lifetime %s", got, lifetime)
	}
	// What an authority says of a host that certwire knows replaces the limits as a whole, and nothing else.
	got, _ = s.Directories.Service("https://acme-v02.api.letsencrypt.org/directory")
	want = acme.Limits{CertificatesPerDomain: acme.Limit{Count: 500, Burst: 500, Period: 168 * time.Hour}}
	lifetime, _ = got.Lifetime("", time.Time{})
	if got.Limits != want || got.RenewalExemption() != 120*24*time.Hour || lifetime != 2400*time.Hour {
		t.Errorf("got %+v, lifetime %s", got, lifetime)
	}
}

func TestTheShippedConfigurationIsGood(t *testing.T) {
	t.Parallel()
	if _, err := Load("../../manifests/base/config.yaml"); err != nil {
		t.Error(err)
	}
}

func TestFileKeepsTheLastGoodOne(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "certwire.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil { // at once, as a volume does it: half a file is a bad one
			t.Fatal(err)
		}
	}
	write(head)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	type change struct {
		s   *Settings
		err error
	}
	changes := make(chan change)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go f.Watch(ctx, time.Millisecond, func(s *Settings, err error) {
		select {
		case changes <- change{s, err}:
		case <-ctx.Done():
		}
	})
	write(head + "issuance: {mode: deny}\n")
	if c := <-changes; c.err != nil || f.Current().Modes.Default != policy.ModeDeny {
		t.Fatalf("a good change: %+v", c)
	}
	write(head + "issuance: {mode: never}\n")
	if c := <-changes; c.err == nil || f.Current().Modes.Default != policy.ModeDeny {
		t.Fatalf("a bad change: %+v, mode %s", c, f.Current().Modes.Default)
	}
	write(head + "issuance: {mode: deny}\n") // what is in force already: the trouble is over all the same
	if c := <-changes; c.err != nil || c.s.Modes.Default != policy.ModeDeny {
		t.Fatalf("a change back: %+v", c)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if c := <-changes; c.err == nil || f.Current().Modes.Default != policy.ModeDeny {
		t.Fatalf("a file that went: %+v", c)
	}
	write(head + "issuance: {mode: \"off\"}\n")
	for {
		c := <-changes // a reader may meet the file half written
		if c.err == nil {
			break
		}
	}
	if f.Current().Modes.Default != policy.ModeOff {
		t.Fatalf("a change after a bad one is not in force: %+v", f.Current().Modes)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(head + "issuance: {mode: deny}"))
	f.Add([]byte(head + "authorities: [{name: a, production: [b], lifetime: 1h, limits: {newOrders: {count: 1, period: 1h}}}]"))
	f.Add([]byte("a: &x [*x]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse("x", text)
		if err != nil {
			return
		}
		if _, err := c.Settings(); err != nil {
			t.Errorf("a checked configuration has no settings: %v", err)
		}
	})
}

func TestAnAgentThatCouldNotStartIsRefused(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		`image: https://registry.example/agent`: "agent.image: Invalid value",
		`resources: {limits: {memory: "32"}}`:   `agent.resources.limits[memory]: Invalid value: "32": must be 8Mi or more`,
	} {
		if _, err := Parse("certwire.yaml", []byte(head+"\nagent:\n  "+value+"\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", value, err)
		}
	}
}

func TestTheAgentsSettings(t *testing.T) {
	t.Parallel()
	c, err := Parse("certwire.yaml", []byte(head+`
agent:
  image: registry.example/agent@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
  restartAllContainers: "off"
  nativeSidecars: "on"
  permit: {deadline: 1h}
  resources:
    limits: {memory: 48Mi}
  presets:
    shop: {http: "POST :9000/reload", verify: "8443"}
`))
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Settings()
	if err != nil {
		t.Fatal(err)
	}
	a := s.Agent
	if !a.Enabled || !a.SharesProcesses || a.Image != "registry.example/agent@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" || a.Method != "self" || a.User != 65532 ||
		a.Deadline != time.Hour || a.Spread != 30*time.Minute || a.Presets["shop"].Verify != "8443" {
		t.Errorf("got %+v", a)
	}
	if cpu, memory := a.Resources.Requests.Cpu().String(), a.Resources.Limits.Memory().String(); cpu != "5m" || memory != "48Mi" {
		t.Errorf("got requests of %s and limits of %s", cpu, memory)
	}
	got := s.Features(mutate.Features{NativeSidecars: "a node is too old"})
	if got.NativeSidecars != "" || got.RestartAllContainers != "it is switched off in certwire's configuration" {
		t.Errorf("got %+v", got)
	}
}
