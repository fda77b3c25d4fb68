package mirror

import (
	"fmt"
	"time"
)

// The versions of the source that tools write on a copy. They are no evidence of what it holds: the tools take them for
// that, and leave a copy alone whose data was lost while they stayed.
const (
	reflectedVersionKey  = "reflector.v1.k8s.emberstack.com/reflected-version"
	replicatedVersionKey = "replicator.v1.mittwald.de/replicated-from-version"
)

// externalSecretsPatience is how long a copy of External Secrets may be behind: refreshInterval is an hour by default
// (apis/externalsecrets/v1/externalsecret_types.go), and the store may be slow.
const externalSecretsPatience = 75 * time.Minute

// Patience is how long a copy may be behind the source, where usual is the time for tools that watch.
func Patience(t Tool, usual time.Duration) time.Duration {
	if t == ExternalSecrets {
		return max(usual, externalSecretsPatience)
	}
	return usual
}

// maxProblem bounds [Problem], in bytes: names can be long.
const maxProblem = 1024

// Problem says in one line what is wrong with a copy that is behind, and what helps; at most 1024 bytes.
func Problem(m Mirror, s Source) string {
	text := fmt.Sprintf("Secret %s (%s) %s, not serial %s of %s/%s: %s",
		m.Key(), m.Tool, holds(m), short(s.Leaf.Serial), s.Namespace, s.Name, Remedy(m, s))
	return text[:min(len(text), maxProblem)]
}

func holds(m Mirror) string {
	switch {
	case m.Leaf == nil:
		return "holds no certificate"
	case m.State == Foreign:
		return "holds serial " + short(m.Leaf.Serial) + " of another certificate"
	default:
		return "holds serial " + short(m.Leaf.Serial)
	}
}

// short cuts a serial number that no CA makes: RFC 5280 section 4.1.2.2 allows 40 digits.
func short(serial string) string { return serial[:min(len(serial), 64)] }

// Remedy says what has a copy follow its source, a command where there is one.
func Remedy(m Mirror, s Source) string {
	if !allows(s.Offers, m.Tool) && s.Offers != nil {
		return fmt.Sprintf("its source lacks the annotation %s, which a Certificate's secretTemplate sets", map[Tool]string{
			Reflector: reflectionAllowedKey + ": \"true\"", Replicator: replicationAllowedKey + ": \"true\"", ConfigSyncer: syncKey,
		}[m.Tool])
	}
	switch m.Tool {
	case Reflector:
		return fmt.Sprintf("restart reflector; if that does not help, kubectl annotate secret -n %s %s %s-", m.Namespace, m.Name, reflectedVersionKey)
	case Replicator:
		return fmt.Sprintf("restart replicator; if that does not help, kubectl annotate secret -n %s %s %s-", m.Namespace, m.Name, replicatedVersionKey)
	case ConfigSyncer:
		return "restart config-syncer, and look at its log"
	case Kyverno:
		if m.By != "" {
			return fmt.Sprintf("the rule of policy %s needs generate.synchronize: true", m.By)
		}
		return "the rule that generates it needs generate.synchronize: true"
	case ExternalSecrets:
		name := m.By
		if name == "" {
			name = "NAME"
		}
		return fmt.Sprintf("kubectl annotate externalsecret -n %s %s force-sync=$(date +%%s) --overwrite ; a shorter spec.refreshInterval for the next time", m.Namespace, name)
	case SealedSecrets:
		return "a sealed copy can never follow a renewal: have a tool copy the Secret instead"
	default:
		return "nothing is known to keep this copy: write it anew, or have a tool copy the Secret"
	}
}
