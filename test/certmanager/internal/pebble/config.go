package pebble

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// Config says what to run and where.
type Config struct {
	// Binary is the built program.
	Binary string
	// Dir is the folder for its configuration and its log, Name what they are called.
	Dir, Name string
	// Authority has the certificate to serve TLS with.
	Authority *Authority
	// Validity is how long certificates are valid.
	Validity time.Duration
	// RetryAfter is, in seconds, what is answered to those who ask too early.
	RetryAfter int
}

// environment is what Pebble reads beside its configuration: every challenge is met at
// once, a valid authorization is always used again (as Let's Encrypt does) and no
// nonce is refused. The names are in Pebble's README.
var environment = []string{
	"PEBBLE_VA_ALWAYS_VALID=1",
	"PEBBLE_VA_NOSLEEP=1",
	"PEBBLE_AUTHZREUSE=100",
	"PEBBLE_WFE_NONCEREJECT=0",
}

// write writes Pebble's configuration file for the address it shall listen on. There
// is one profile, since Pebble draws one by lot for orders that name none.
func (c Config) write(file, address string) error {
	content, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": address,
		"certificate":   c.Authority.certFile,
		"privateKey":    c.Authority.keyFile,
		"keyAlgorithm":  "ecdsa",
		"retryAfter":    map[string]int{"authz": c.RetryAfter, "order": c.RetryAfter},
		"profiles": map[string]any{"default": map[string]any{
			"description":    "the only one",
			"validityPeriod": uint64(c.Validity / time.Second),
		}},
	}})
	if err != nil {
		return fmt.Errorf("encoding the configuration of %s: %w", c.Name, err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		return fmt.Errorf("writing the configuration of %s: %w", c.Name, err)
	}
	return nil
}
