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
	// Agent is what is injected into pods.
	Agent Agent `json:"agent"`
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
	// Limits are the rate limits of its production directories. They replace all that certwire knows of a host's limits;
	// without them, what it knows stays, and the orders of a host that it knows nothing of are not metered.
	Limits *Limits `json:"limits,omitempty"`
	// Lifetime is how long the certificates of its production directories are valid, as a Go duration such as "2160h".
	Lifetime string `json:"lifetime,omitempty"`
	// Backdate is how long before its issuance a certificate begins to be valid, as a Go duration.
	Backdate string `json:"backdate,omitempty"`
	// RenewalExemption is how long after an issuance the same set of names is a renewal, which spends neither the limit
	// of the account nor that of the domain, as a Go duration.
	RenewalExemption string `json:"renewalExemption,omitempty"`
}

// Limits are the rate limits of a CA. One that is left out does not exist there.
type Limits struct {
	// NewOrders is held against the ACME account.
	NewOrders *Limit `json:"newOrders,omitempty"`
	// CertificatesPerDomain is held against each registered domain, such as example.co.uk.
	CertificatesPerDomain *Limit `json:"certificatesPerDomain,omitempty"`
	// CertificatesPerSet is held against the exact set of names.
	CertificatesPerSet *Limit `json:"certificatesPerSet,omitempty"`
	// FailedAuthorizations is held against each name of an account.
	FailedAuthorizations *Limit `json:"failedAuthorizations,omitempty"`
}

// Limit is a token bucket: it holds burst tokens, and gets count of them back in each period, evenly.
type Limit struct {
	Count int `json:"count"`
	// Burst defaults to the count.
	Burst int `json:"burst,omitempty"`
	// Period is a Go duration such as "168h".
	Period string `json:"period"`
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
