// Package config reads certwire's configuration file: one versioned YAML document, strictly decoded, every problem
// reported with its path, defaults filled in, and reloaded when it changes with the last good one kept.
//
// It may touch the pure rooms whose settings it carries (acme, policy) and nothing that talks to a cluster. Flags for
// process matters live in cmd/webhook.
//
// Start reading at [Config] for what can be set, [Load] for how it is read and [File] for how it is kept current.
package config
