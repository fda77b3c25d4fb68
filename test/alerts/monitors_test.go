package alerts

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/certwire/certwire/pkg/mutate"
)

// TestMonitorsFindTheirPorts follows the names from what is scraped to what serves: a name that fits nothing is silence.
func TestMonitorsFindTheirPorts(t *testing.T) {
	t.Parallel()
	var service corev1.Service
	read(t, file("manifests", "components", "monitors", "service.yaml"), &service)
	var deployment appsv1.Deployment
	read(t, file("manifests", "base", "deployment.yaml"), &deployment)
	pod := deployment.Spec.Template
	for key, value := range service.Spec.Selector {
		if pod.Labels[key] != value {
			t.Errorf("the Service selects %s=%s, and certwire's pods have %v", key, value, pod.Labels)
		}
	}
	found := false
	for _, p := range pod.Spec.Containers[0].Ports {
		found = found || p.Name == service.Spec.Ports[0].TargetPort.String() && p.ContainerPort == service.Spec.Ports[0].Port
	}
	if !found {
		t.Errorf("no port of the Deployment is %+v", service.Spec.Ports[0])
	}
	type monitor struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   any    `json:"metadata"`
		Spec       struct {
			Selector struct {
				MatchLabels map[string]string `json:"matchLabels"`
			} `json:"selector"`
			NamespaceSelector any `json:"namespaceSelector"`
			Endpoints         []struct {
				Port string `json:"port"`
			} `json:"endpoints"`
			PodMetricsEndpoints []struct {
				Port string `json:"port"`
			} `json:"podMetricsEndpoints"`
		} `json:"spec"`
	}
	var services, pods monitor
	read(t, file("manifests", "components", "monitors", "servicemonitor.yaml"), &services)
	read(t, file("manifests", "components", "monitors", "podmonitor.yaml"), &pods)
	if services.Spec.Endpoints[0].Port != service.Spec.Ports[0].Name {
		t.Errorf("the ServiceMonitor asks for port %q", services.Spec.Endpoints[0].Port)
	}
	for key, value := range services.Spec.Selector.MatchLabels {
		if service.Labels[key] != value {
			t.Errorf("the ServiceMonitor selects %s=%s, and the Service has %v", key, value, service.Labels)
		}
	}
	if pods.Spec.PodMetricsEndpoints[0].Port != mutate.AgentName {
		t.Errorf("the PodMonitor asks for port %q", pods.Spec.PodMetricsEndpoints[0].Port)
	}
}
