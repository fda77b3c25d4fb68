package mirror

import (
	"regexp"
	"strings"
)

// The tools' keys on a source: by these its owner lets it be copied.
const (
	reflectionAllowedKey  = "reflector.v1.k8s.emberstack.com/reflection-allowed"
	replicationAllowedKey = "replicator.v1.mittwald.de/replication-allowed"
	replicateToKey        = "replicator.v1.mittwald.de/replicate-to"
	replicateMatchingKey  = "replicator.v1.mittwald.de/replicate-to-matching"
	syncKey               = "kubed.appscode.com/sync"
)

// maxOffer is how much of one of these annotations is kept, in bytes. A longer one is taken for one that is not there.
const maxOffer = 1 << 10

// Offers are those annotations of a source by which tools may copy it, off the Secret itself or a Certificate's
// secretTemplate; nil when there are none.
func Offers(annotations map[string]string) map[string]string {
	var out map[string]string
	for _, key := range []string{reflectionAllowedKey, replicationAllowedKey, replicateToKey, replicateMatchingKey, syncKey} {
		if value, ok := annotations[key]; ok && len(value) <= maxOffer {
			if out == nil {
				out = map[string]string{}
			}
			out[key] = strings.Clone(value)
		}
	}
	return out
}

// pushes reports whether replicator copies a source with these offers to a namespace: its name is in a list of names and
// patterns, or a selector of labels is there, which is taken to match.
func pushes(offers map[string]string, namespace string) bool {
	if offers[replicateMatchingKey] != "" {
		return true
	}
	for pattern := range strings.SplitSeq(offers[replicateToKey], ",") {
		pattern = strings.TrimSpace(pattern)
		if pattern == "" {
			continue
		}
		if pattern == namespace {
			return true
		}
		if is, err := regexp.Compile("^(?:" + pattern + ")$"); err == nil && is.MatchString(namespace) {
			return true
		}
	}
	return false
}

// allows reports whether a source lets a tool copy it. Those that need no leave may always.
func allows(offers map[string]string, tool Tool) bool {
	switch tool {
	case Reflector:
		return strings.EqualFold(offers[reflectionAllowedKey], "true")
	case Replicator:
		return strings.EqualFold(offers[replicationAllowedKey], "true") || offers[replicateToKey] != "" || offers[replicateMatchingKey] != ""
	case ConfigSyncer:
		_, ok := offers[syncKey]
		return ok
	default:
		return true
	}
}
