package policy

import (
	"path"
	"slices"
)

// EnvironmentLabel on a namespace says what it is for: "production", or any other word.
const EnvironmentLabel = "certwire.dev/environment"

// Environments tells what a namespace is for. The zero value reads [EnvironmentLabel] alone and knows one word for
// production.
type Environments struct {
	// Labels are further label keys whose value names the environment, asked in order after [EnvironmentLabel].
	Labels []string
	// Patterns give an environment by the namespace's name, asked in order after the labels.
	Patterns []NamePattern
	// Production are the words that mean production. Defaults to "production".
	Production []string
	// Default is the environment of a namespace that nothing describes. Defaults to none, which is not production.
	Default string
}

// NamePattern gives the namespaces whose name matches a shell pattern (path.Match) an environment.
type NamePattern struct{ Pattern, Environment string }

// Of returns the environment of a namespace.
func (e Environments) Of(namespace string, labels map[string]string) Environment {
	for _, key := range append([]string{EnvironmentLabel}, e.Labels...) {
		if word := labels[key]; word != "" {
			return e.named(word, "label "+key)
		}
	}
	for _, p := range e.Patterns {
		if ok, err := path.Match(p.Pattern, namespace); ok && err == nil {
			return e.named(p.Environment, "name pattern "+p.Pattern)
		}
	}
	if e.Default != "" {
		return e.named(e.Default, "the configured default")
	}
	return Environment{From: "no label " + EnvironmentLabel}
}

func (e Environments) named(word, from string) Environment {
	production := slices.Contains(e.Production, word)
	if len(e.Production) == 0 {
		production = word == "production"
	}
	return Environment{Name: word, Production: production, From: from}
}
