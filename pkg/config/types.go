package config

// The version and kind that a file must name.
const (
	APIVersion = "config.certwire.dev/v1alpha1"
	Kind       = "Configuration"
)

// Config is the configuration file. Every field may be left out.
type Config struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Environments tells production namespaces from the rest.
	Environments Environments `json:"environments"`
	// Issuance sets the modes of the issuance rules.
	Issuance Issuance `json:"issuance"`
	// Authorities adds ACME CAs to those that certwire knows, or re-classifies their hosts.
	Authorities []Authority `json:"authorities,omitempty"`
	// Adoption bounds how workloads that admission did not see are brought in.
	Adoption Adoption `json:"adoption"`
}

// Environments tells what a namespace is for. The label certwire.dev/environment is always asked first.
type Environments struct {
	// Labels are further namespace labels whose value names the environment, in the order they are asked.
	Labels []string `json:"labels,omitempty"`
	// NamePatterns give an environment by the namespace's name, in the order they are asked, after the labels.
	NamePatterns []NamePattern `json:"namePatterns,omitempty"`
	// Production are the words that mean production. Defaults to ["production"].
	Production []string `json:"production,omitempty"`
	// Default is the environment of a namespace that nothing describes. Defaults to none, which is not production.
	Default string `json:"default,omitempty"`
}

// NamePattern gives namespaces whose name matches a shell pattern an environment.
type NamePattern struct {
	// Pattern is a shell pattern such as "prod-*".
	Pattern string `json:"pattern"`
	// Environment is the word that it stands for.
	Environment string `json:"environment"`
}

// Issuance sets what rules do in namespaces without the label certwire.dev/issuance.
type Issuance struct {
	// Mode is deny, warn or off. Defaults to warn.
	Mode string `json:"mode,omitempty"`
	// Rules sets the mode of single rules by name. Off is final: the namespace label cannot switch such a rule on.
	Rules map[string]string `json:"rules,omitempty"`
}

// Authority is an ACME certificate authority.
type Authority struct {
	// Name is what people call it.
	Name string `json:"name"`
	// Production are the hosts (or URLs) of its directories that issue for production.
	Production []string `json:"production,omitempty"`
	// Staging are those that do not.
	Staging []string `json:"staging,omitempty"`
}

// Adoption bounds the writes of the adoption controller.
type Adoption struct {
	// Enabled switches it on. Defaults to true.
	Enabled *bool `json:"enabled,omitempty"`
	// WritesPerSecond is the steady rate of metadata patches in the cluster. Defaults to 10.
	WritesPerSecond float64 `json:"writesPerSecond,omitempty"`
	// Burst is how many may follow each other at once. Defaults to 20.
	Burst int `json:"burst,omitempty"`
}
