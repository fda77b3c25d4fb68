package controllers

import (
	"maps"
	"slices"
	"testing"

	"github.com/cert-manager/cert-manager/pkg/controller"
)

// The names are those of DefaultEnabledControllers in cert-manager's
// internal/apis/config/controller/v1alpha1/defaults.go, without certificates-metrics,
// the ones for Vault and Venafi, and with gateway-shim.
func TestTheControllersThatRun(t *testing.T) {
	t.Parallel()
	want := []string{
		"certificaterequests-approver",
		"certificaterequests-issuer-acme",
		"certificaterequests-issuer-ca",
		"certificaterequests-issuer-selfsigned",
		"certificates-issuing",
		"certificates-key-manager",
		"certificates-readiness",
		"certificates-request-manager",
		"certificates-revision-manager",
		"certificates-trigger",
		"challenges",
		"clusterissuers",
		"gateway-shim",
		"ingress-shim",
		"issuers",
		"orders",
	}
	if got := slices.Sorted(maps.Keys(controller.Known())); !slices.Equal(got, want) {
		t.Errorf("got %q,\nwant %q", got, want)
	}
}

func TestTheAccountMayNotDoEverything(t *testing.T) {
	t.Parallel()
	for _, rule := range rules() {
		for _, field := range [][]string{rule.APIGroups, rule.Resources, rule.Verbs} {
			if slices.Contains(field, "*") || slices.Contains(field, "") && !slices.Equal(field, rule.APIGroups) {
				t.Errorf("too much: %v", rule)
			}
		}
		if slices.Contains(rule.APIGroups, "rules.certwire.dev") {
			t.Errorf("certwire's own: %v", rule)
		}
	}
}
