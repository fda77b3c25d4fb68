package controlplane

import (
	"fmt"
	"os"
	"path/filepath"
)

// auditPolicy records who did what to which object, with the annotations that
// admission leaves, and no bodies. RequestReceived would only double the lines.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

// writeAuditPolicy writes the policy if an audit log is wanted.
func writeAuditPolicy(config Config) error {
	if config.AuditLog == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(config.AuditLog), 0o755); err != nil {
		return fmt.Errorf("creating the folder of the audit log: %w", err)
	}
	if err := os.WriteFile(auditPolicyFile(config), []byte(auditPolicy), 0o644); err != nil {
		return fmt.Errorf("writing the audit policy: %w", err)
	}
	return nil
}

// auditArgs are the API server's arguments for the audit log: JSON lines, each
// written before the request is answered, so that a test need not wait for it.
func auditArgs(config Config) []string {
	if config.AuditLog == "" {
		return nil
	}
	return []string{
		"--audit-policy-file=" + auditPolicyFile(config),
		"--audit-log-path=" + config.AuditLog,
		"--audit-log-format=json",
		"--audit-log-mode=blocking",
	}
}

func auditPolicyFile(config Config) string {
	return filepath.Join(config.Dir, "audit-policy.yaml")
}
