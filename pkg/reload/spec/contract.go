package spec

// What the webhook writes into a pod and the agent reads there. It stands here once, since both have to mean the same.
const (
	// ConfigVariable is the environment variable with the agent's configuration, see [Config].
	ConfigVariable = "CERTWIRE_AGENT"
	// ListenVariable is the one with the address of /healthz and /metrics, as in :9402; empty serves neither.
	ListenVariable = "CERTWIRE_AGENT_LISTEN"
	// DeliverKey is an annotation on a Pod that holds the fingerprint of the leaf that it may take up now.
	DeliverKey = "certwire.dev/deliver"
	// RestartExitCode is what the agent exits with to have all containers of its pod restarted in place: the injected
	// container's restartPolicyRules name it.
	RestartExitCode = 88
)
