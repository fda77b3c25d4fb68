// Package crds installs the CustomResourceDefinitions that certwire works with,
// cert-manager's and three of the Gateway API's, from the very modules that go.mod
// pins. Start at [Install].
package crds
