package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/mutate"
	"github.com/certwire/certwire/pkg/policy"
)

// Settings is a configuration in the words of the rooms that use it. It is immutable and safe for concurrent use.
type Settings struct {
	Directories  acme.Directories
	Environments policy.Environments
	Modes        policy.Modes
	Adoption     Adoption
	// Agent is what is injected into pods; the two switches say how far what is discovered about the cluster counts.
	Agent                                mutate.Agent
	NativeSidecars, RestartAllContainers Switch
	// Hash identifies the effective configuration, defaults included: the first 12 hex digits of its SHA-256.
	Hash string
}

// Settings translates a checked configuration. It fails only for one that was not checked.
func (c *Config) Settings() (*Settings, error) {
	known := acme.KnownCAs()
	for _, a := range c.Authorities {
		known = append(known, a.ca())
	}
	directories, err := acme.NewDirectories(known...)
	if err != nil {
		return nil, fmt.Errorf("reading the authorities: %w", err)
	}
	s := &Settings{
		Directories: directories,
		Environments: policy.Environments{
			Labels:     c.Environments.Labels,
			Production: c.Environments.Production,
			Default:    c.Environments.Default,
		},
		Modes:    policy.Modes{Default: policy.Mode(c.Issuance.Mode), Rules: map[policy.RuleName]policy.Mode{}},
		Adoption: c.Adoption, Agent: c.Agent.settings(),
		NativeSidecars: Switch(c.Agent.NativeSidecars), RestartAllContainers: Switch(c.Agent.RestartAllContainers),
	}
	for _, p := range c.Environments.NamePatterns {
		s.Environments.Patterns = append(s.Environments.Patterns, policy.NamePattern(p))
	}
	for name, mode := range c.Issuance.Rules {
		s.Modes.Rules[policy.RuleName(name)] = policy.Mode(mode)
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("hashing the configuration: %w", err)
	}
	sum := sha256.Sum256(raw)
	s.Hash = hex.EncodeToString(sum[:6])
	return s, nil
}

// Features brings what was discovered about the cluster to where the configuration wants it.
func (s *Settings) Features(discovered mutate.Features) mutate.Features {
	for _, f := range []struct {
		by  Switch
		why *string
	}{{s.NativeSidecars, &discovered.NativeSidecars}, {s.RestartAllContainers, &discovered.RestartAllContainers}} {
		switch f.by {
		case SwitchOn:
			*f.why = ""
		case SwitchOff:
			*f.why = "it is switched off in certwire's configuration"
		case SwitchAuto:
		}
	}
	return discovered
}
