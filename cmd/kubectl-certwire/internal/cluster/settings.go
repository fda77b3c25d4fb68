package cluster

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/config"
)

// SystemNamespace is where the manifests put certwire.
const SystemNamespace = "certwire-system"

// The ConfigMap of the configuration, as the manifests name it.
const (
	configMap = "certwire"
	configKey = "config.yaml"
)

// agentImage stands for the agent's where no configuration could be read.
const agentImage = "ghcr.io/certwire/agent"

// Settings reads certwire's configuration from its ConfigMap. With an error, defaults are returned all the same.
func (c *Cluster) Settings(ctx context.Context, system string) (*config.Settings, error) {
	var m corev1.ConfigMap
	err := c.Get(ctx, client.ObjectKey{Namespace: system, Name: configMap}, &m)
	if err == nil {
		var parsed *config.Config
		if parsed, err = config.Parse(fmt.Sprintf("ConfigMap %s/%s", system, configMap), []byte(m.Data[configKey])); err == nil {
			return parsed.Settings()
		}
	}
	defaults, failed := config.Load("")
	if failed != nil {
		return nil, failed
	}
	settings, failed := defaults.Settings()
	if failed != nil {
		return nil, failed
	}
	settings.Agent.Image = agentImage
	return settings, err
}
