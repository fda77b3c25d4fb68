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
adoption:
  enabled: "yes"
  writesPerSecond: fast
  burst: 1.5
`))
	if _, ok := errors.AsType[*InvalidError](err); !ok {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{
		`apiVersion: Unsupported value: "config.certwire.dev/v2"`,
		`environment: Invalid value: unknown field; known here: adoption, apiVersion, authorities, environments, issuance, kind`,
		`environments.labels[0]: Invalid value: "not a key"`,
		`environments.production: Invalid value: "production": must be a list`,
		`environments.namePatterns[0].pattern: Invalid value: "prod-["`,
		`environments.namePatterns[1].pattern: Invalid value: 7: must be a string`,
		`environments.namePatterns[1].environment: Required value`,
		`issuance.mode: Unsupported value: "enforce": supported values: "deny", "off", "warn"`,
		`issuance.rules: Unsupported value: "prod-ca": supported values: "production-ca"`,
		`issuance.rules[production-ca]: Unsupported value: "maybe"`,
		`authorities[0].name: Required value`,
		`authorities[0]: Invalid value`,
		`authorities[1]: Required value: at least one host in production or staging`,
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
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
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
