package config

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"
)

// InvalidError lists everything that is wrong with a configuration file.
type InvalidError struct {
	// Path is the file's.
	Path string
	// Problems has one entry for each, with the path of the field inside the document.
	Problems field.ErrorList
}

// Error has one line for each problem.
func (e *InvalidError) Error() string {
	lines := make([]string, 0, len(e.Problems)+1)
	noun := "problems"
	if len(e.Problems) == 1 {
		noun = "problem"
	}
	lines = append(lines, fmt.Sprintf("configuration %s has %d %s:", e.Path, len(e.Problems), noun))
	for _, p := range e.Problems {
		lines = append(lines, "  "+p.Error())
	}
	return strings.Join(lines, "\n")
}

// Load reads and checks a file. The error is an [*InvalidError] when the document is wrong, and wraps the operating
// system's when it cannot be read. An empty path means defaults.
func Load(path string) (*Config, error) {
	if path == "" {
		return Parse(path, []byte("apiVersion: "+APIVersion+"\nkind: "+Kind+"\n"))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return Parse(path, text)
}

// Parse reads and checks a document. The path only names it in errors.
func Parse(path string, text []byte) (*Config, error) {
	raw, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return nil, &InvalidError{path, field.ErrorList{field.Invalid(nil, "(the document)", err.Error())}}
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return nil, fmt.Errorf("reading the configuration %s: %w", path, err)
	}
	problems, clean := checkShape(tree)
	if raw, err = json.Marshal(clean); err != nil {
		return nil, fmt.Errorf("reading the configuration %s: %w", path, err)
	}
	c := &Config{}
	if err := json.Unmarshal(raw, c); err != nil {
		return nil, fmt.Errorf("reading the configuration %s: %w", path, err)
	}
	c.applyDefaults()
	if problems = append(problems, c.validate()...); len(problems) > 0 {
		return nil, &InvalidError{path, problems}
	}
	return c, nil
}

func (c *Config) applyDefaults() {
	if c.Issuance.Mode == "" {
		c.Issuance.Mode = "warn"
	}
	if len(c.Environments.Production) == 0 {
		c.Environments.Production = []string{"production"}
	}
	for _, a := range c.Authorities {
		for _, l := range a.limits() {
			if l.limit != nil && l.limit.Burst == 0 {
				l.limit.Burst = l.limit.Count
			}
		}
	}
	c.Agent.applyDefaults()
	if c.Adoption.Enabled == nil {
		on := true
		c.Adoption.Enabled = &on
	}
	if c.Adoption.WritesPerSecond == 0 {
		c.Adoption.WritesPerSecond = 10
	}
	if c.Adoption.Burst == 0 {
		c.Adoption.Burst = 20
	}
}
