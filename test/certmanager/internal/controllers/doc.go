// Package controllers runs cert-manager's controllers in this process, as the
// controller command of cert-manager v1.21.2 does with its default flags
// (cmd/controller/app; the defaults are in internal/apis/config/controller/v1alpha1).
//
// What differs from a default install by the Helm chart: no leader election, no
// metrics server and no health server; no controllers for Vault and Venafi, whose
// client the module proxy does not have, nor for CertificateSigningRequests, which are
// off by default; the Gateway API is on. Start at [Start].
package controllers
