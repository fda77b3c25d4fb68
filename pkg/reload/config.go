package reload

import "github.com/certwire/certwire/pkg/reload/spec"

// What the agent is told is written by the webhook and read here, so its form is where both can have it.
type (
	// Config is what the agent is told.
	Config = spec.Config
	// Certificate is one pair in a volume.
	Certificate = spec.Certificate
	// Permit rules when method restart may act.
	Permit = spec.Permit
	// Duration is a time.Duration that JSON spells as Go does.
	Duration = spec.Duration
)

// ParseConfig reads a configuration strictly, see [spec.ParseConfig].
func ParseConfig(data []byte) (Config, error) { return spec.ParseConfig(data) }
