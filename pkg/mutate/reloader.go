package mutate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
)

// Keys are the annotation keys that Reloader reads. Each can be renamed by one of Reloader's flags, and Reloader
// publishes the effective ones in its ConfigMap reloader-meta-info.
type Keys struct {
	Reload  string // names Secrets, on the workload or its template
	Auto    string // reloads on every Secret and ConfigMap that is referred to
	Secret  string // the same for Secrets alone
	Search  string // reloads on those that carry Match
	Match   string // on a Secret: may be found by Search
	Exclude string // names Secrets never to reload on, on the workload alone
	Ignore  string // on a Secret: never reload on it
}

// DefaultKeys returns the keys of a Reloader without renaming flags (stakater/Reloader,
// internal/pkg/options/flags.go).
func DefaultKeys() Keys {
	return Keys{
		Reload:  "secret.reloader.stakater.com/reload",
		Auto:    "reloader.stakater.com/auto",
		Secret:  "secret.reloader.stakater.com/auto",
		Search:  "reloader.stakater.com/search",
		Match:   "reloader.stakater.com/match",
		Exclude: "secrets.exclude.reloader.stakater.com/reload",
		Ignore:  "reloader.stakater.com/ignore",
	}
}

// Reloader is what is known of the Reloader in the cluster. The zero value is one that was not found; use
// [NoReloader] for one with keys.
type Reloader struct {
	// Found is true when its Deployment or its ConfigMap was seen.
	Found bool
	// Keys are its effective annotation keys.
	Keys Keys
	// AutoReloadAll is its flag --auto-reload-all: workloads without any of its annotations are reloaded too.
	AutoReloadAll bool
	// WebhookURL is its flag --webhook-url: it then posts there and reloads nothing.
	WebhookURL string
	// IgnoresSecrets is its flag --resources-to-ignore=secrets.
	IgnoresSecrets bool
	// IgnoredNamespaces is its flag --namespaces-to-ignore.
	IgnoredNamespaces []string
	// NamespaceSelector and SecretSelector are its flags --namespace-selector and --resource-label-selector; nil
	// selects everything.
	NamespaceSelector, SecretSelector labels.Selector
}

// NoReloader is the state of a cluster in which no Reloader was found: default keys, and the annotation is inert.
func NoReloader() Reloader { return Reloader{Keys: DefaultKeys()} }

// ParseReloader reads the value of "reloaderOptions" in Reloader's ConfigMap reloader-meta-info (stakater/Reloader,
// pkg/common/common.go, type ReloaderOptions). Keys that are absent or empty keep their defaults. The error names what
// could not be read; the returned Reloader is usable all the same and says Found.
func ParseReloader(options string) (Reloader, error) {
	r := Reloader{Found: true, Keys: DefaultKeys()}
	var o struct {
		AutoReloadAll      bool     `json:"autoReloadAll"`
		Reload             string   `json:"secretUpdateOnChangeAnnotation"`
		Auto               string   `json:"reloaderAutoAnnotation"`
		Secret             string   `json:"secretReloaderAutoAnnotation"`
		Search             string   `json:"autoSearchAnnotation"`
		Match              string   `json:"searchMatchAnnotation"`
		Exclude            string   `json:"secretExcludeReloaderAnnotation"`
		Ignore             string   `json:"ignoreResourceAnnotation"`
		WebhookURL         string   `json:"webhookUrl"`
		ResourcesToIgnore  []string `json:"resourcesToIgnore"`
		NamespacesToIgnore []string `json:"namespacesToIgnore"`
		NamespaceSelectors []string `json:"namespaceSelectors"`
		ResourceSelectors  []string `json:"resourceSelectors"`
	}
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		return r, fmt.Errorf("reading reloaderOptions: %w", err)
	}
	for _, k := range []struct {
		to   *string
		from string
	}{
		{&r.Keys.Reload, o.Reload}, {&r.Keys.Auto, o.Auto}, {&r.Keys.Secret, o.Secret}, {&r.Keys.Search, o.Search},
		{&r.Keys.Match, o.Match}, {&r.Keys.Exclude, o.Exclude}, {&r.Keys.Ignore, o.Ignore},
	} {
		if k.from != "" {
			*k.to = k.from
		}
	}
	r.AutoReloadAll = o.AutoReloadAll
	r.WebhookURL = o.WebhookURL
	r.IgnoresSecrets = slices.ContainsFunc(o.ResourcesToIgnore, func(s string) bool { return strings.EqualFold(s, "secrets") })
	r.IgnoredNamespaces = o.NamespacesToIgnore
	var err error
	if r.NamespaceSelector, err = selector(o.NamespaceSelectors); err != nil {
		return r, fmt.Errorf("reading namespaceSelectors: %w", err)
	}
	if r.SecretSelector, err = selector(o.ResourceSelectors); err != nil {
		return r, fmt.Errorf("reading resourceSelectors: %w", err)
	}
	return r, nil
}

// Inert says why Reloader would not act on a named Secret in this namespace, or "" when it would.
func (r Reloader) Inert(namespace string, namespaceLabels, secretLabels map[string]string) string {
	switch {
	case !r.Found:
		return "Reloader was not found in this cluster"
	case r.WebhookURL != "":
		return "Reloader runs with --webhook-url and reloads nothing itself"
	case r.IgnoresSecrets:
		return "Reloader runs with --resources-to-ignore=secrets"
	case slices.Contains(r.IgnoredNamespaces, namespace):
		return "Reloader ignores this namespace (--namespaces-to-ignore)"
	case r.NamespaceSelector != nil && !r.NamespaceSelector.Matches(labels.Set(namespaceLabels)):
		return "Reloader's --namespace-selector leaves this namespace out"
	case r.SecretSelector != nil && !r.SecretSelector.Matches(labels.Set(secretLabels)):
		return "Reloader's --resource-label-selector leaves the Secret out"
	default:
		return ""
	}
}

// selector joins the pieces as Reloader does: "key:value" and "key:*" are its older spellings.
func selector(pieces []string) (labels.Selector, error) {
	if len(pieces) == 0 {
		return nil, nil //nolint:nilnil // no selector selects everything, and that is not an error
	}
	joined := make([]string, 0, len(pieces))
	for _, p := range pieces {
		p = strings.Replace(p, ":", "=", 1)
		joined = append(joined, strings.TrimSuffix(p, "=*"))
	}
	return labels.Parse(strings.Join(joined, ","))
}
