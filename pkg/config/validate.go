package config

import (
	"path"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/certwire/certwire/pkg/policy"
)

var modes = []string{string(policy.ModeDeny), string(policy.ModeOff), string(policy.ModeWarn)}

// validate returns every value that has the right type and the wrong content.
func (c *Config) validate() field.ErrorList {
	var problems field.ErrorList
	if c.APIVersion != APIVersion {
		problems = append(problems, field.NotSupported(field.NewPath("apiVersion"), c.APIVersion, []string{APIVersion}))
	}
	if c.Kind != Kind {
		problems = append(problems, field.NotSupported(field.NewPath("kind"), c.Kind, []string{Kind}))
	}
	problems = append(problems, c.Environments.validate(field.NewPath("environments"))...)
	problems = append(problems, c.Issuance.validate(field.NewPath("issuance"))...)
	for i, a := range c.Authorities {
		problems = append(problems, a.validate(field.NewPath("authorities").Index(i))...)
	}
	problems = append(problems, c.Agent.validate(field.NewPath("agent"))...)
	return append(problems, c.Adoption.validate(field.NewPath("adoption"))...)
}

func (e Environments) validate(at *field.Path) field.ErrorList {
	var problems field.ErrorList
	for i, key := range e.Labels {
		for _, why := range validation.IsQualifiedName(key) {
			problems = append(problems, field.Invalid(at.Child("labels").Index(i), key, "must be a label key: "+why))
		}
	}
	for i, p := range e.NamePatterns {
		here := at.Child("namePatterns").Index(i)
		if _, err := path.Match(p.Pattern, ""); err != nil || p.Pattern == "" {
			problems = append(problems, field.Invalid(here.Child("pattern"), p.Pattern, `must be a shell pattern such as "prod-*"`))
		}
		if p.Environment == "" {
			problems = append(problems, field.Required(here.Child("environment"), "the environment that the pattern stands for"))
		}
	}
	for i, word := range e.Production {
		if word == "" {
			problems = append(problems, field.Invalid(at.Child("production").Index(i), word, "must be a word"))
		}
	}
	return problems
}

func (s Issuance) validate(at *field.Path) field.ErrorList {
	var problems field.ErrorList
	if !slices.Contains(modes, s.Mode) {
		problems = append(problems, field.NotSupported(at.Child("mode"), s.Mode, modes))
	}
	var known []string
	for _, r := range policy.Rules() {
		known = append(known, string(r.Name))
	}
	for _, name := range sortedKeys(s.Rules) {
		if !slices.Contains(known, name) {
			problems = append(problems, field.NotSupported(at.Child("rules"), name, known))
		}
		if mode := s.Rules[name]; !slices.Contains(modes, mode) {
			problems = append(problems, field.NotSupported(at.Child("rules").Key(name), mode, modes))
		}
	}
	return problems
}

func (a Adoption) validate(at *field.Path) field.ErrorList {
	var problems field.ErrorList
	if a.WritesPerSecond < 0.01 || a.WritesPerSecond > 1000 {
		problems = append(problems, field.Invalid(at.Child("writesPerSecond"), a.WritesPerSecond, "must be between 0.01 and 1000"))
	}
	if a.Burst < 1 || a.Burst > 10000 {
		problems = append(problems, field.Invalid(at.Child("burst"), a.Burst, "must be between 1 and 10000"))
	}
	return problems
}
