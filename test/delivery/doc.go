// Package delivery runs certwire with deliveries switched on, cert-manager's controllers, and pods on a real node, and
// looks at what CertificateDeliveries say while certificates are renewed.
//
// Start reading at TestMain, then at rig_test.go.
package delivery
