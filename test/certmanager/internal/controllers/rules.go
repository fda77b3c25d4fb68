package controllers

import (
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
)

// rules are what cert-manager's Helm chart gives the controllers that run here, in one
// role (deploy/charts/cert-manager/templates/rbac.yaml of v1.21.2). Not more: an
// account that may do everything would also hold certwire's verb break-glass, and
// every test of a refusal would be worth less.
func rules() []rbacv1.PolicyRule {
	read := []string{"get", "list", "watch"}
	and := func(verbs ...string) []string { return append(slices.Clone(read), verbs...) }
	rule := func(group string, resources, verbs []string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: resources, Verbs: verbs}
	}
	const (
		core    = ""
		cert    = "cert-manager.io"
		acme    = "acme.cert-manager.io"
		network = "networking.k8s.io"
		gateway = "gateway.networking.k8s.io"
	)
	return []rbacv1.PolicyRule{
		rule(cert, []string{"issuers", "clusterissuers"}, and("update", "patch")),
		rule(cert, []string{"certificates", "certificaterequests"}, and("create", "update", "patch", "delete")),
		rule(cert, []string{"issuers/status", "clusterissuers/status", "certificates/status", "certificaterequests/status"},
			[]string{"update", "patch"}),
		rule(cert, []string{"issuers/finalizers", "clusterissuers/finalizers", "certificates/finalizers", "certificaterequests/finalizers"},
			[]string{"update"}),
		rule(cert, []string{"signers"}, []string{"approve"}),
		rule(acme, []string{"orders", "challenges"}, and("create", "update", "patch", "delete")),
		rule(acme, []string{"orders/status", "challenges/status"}, []string{"update", "patch"}),
		rule(acme, []string{"orders/finalizers", "challenges/finalizers"}, []string{"update"}),
		rule(core, []string{"secrets"}, and("create", "update", "patch", "delete")),
		rule(core, []string{"pods", "services"}, and("create", "delete")),
		rule(core, []string{"events"}, []string{"create", "patch"}),
		rule(network, []string{"ingresses"}, and("create", "update", "delete")),
		rule(network, []string{"ingresses/finalizers"}, []string{"update"}),
		rule(gateway, []string{"httproutes"}, and("create", "update", "delete")),
		rule(gateway, []string{"gateways", "listenersets"}, read),
		rule(gateway, []string{"gateways/finalizers", "httproutes/finalizers", "listenersets/finalizers"}, []string{"update"}),
	}
}
