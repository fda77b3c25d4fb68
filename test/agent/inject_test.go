package agent

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/certwire/certwire/pkg/reload/spec"
)

// inject stands in for the webhook until it injects.
func inject(t *testing.T, p *corev1.Pod) {
	t.Helper()
	config := spec.Config{Values: spec.FromAnnotations(p.Annotations), State: "/certwire/state"}
	mounts := []corev1.VolumeMount{
		{Name: "certwire-state", MountPath: config.State},
		{Name: "certwire-no-token", MountPath: "/var/run/secrets/kubernetes.io/serviceaccount"},
	}
	for _, v := range p.Spec.Volumes {
		if v.Secret == nil {
			continue
		}
		c := spec.Certificate{Name: v.Secret.SecretName, Root: "/certwire/volumes/" + v.Name}
		for _, item := range v.Secret.Items {
			switch item.Key {
			case "tls.crt":
				c.Cert, c.CA = item.Path, "-"
			case "tls.key":
				c.Key = item.Path
			}
		}
		config.Certificates = append(config.Certificates, c)
		mounts = append(mounts, corev1.VolumeMount{Name: v.Name, MountPath: c.Root, ReadOnly: true})
	}
	for _, c := range p.Spec.Containers {
		for _, port := range c.Ports {
			config.Ports = append(config.Ports, uint16(port.ContainerPort))
		}
	}
	for word := range strings.FieldsSeq(p.Annotations["certwire.dev/agent"]) {
		name, value, _ := strings.Cut(word, "=")
		d, err := time.ParseDuration(value)
		if err != nil {
			t.Fatal(err)
		}
		switch name {
		case "deadline":
			config.Permit.Deadline = spec.Duration(d)
		case "spread":
			config.Permit.Spread = spec.Duration(d)
		}
	}
	empty := corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
	p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "certwire-state", VolumeSource: empty}, corev1.Volume{Name: "certwire-no-token", VolumeSource: empty})
	parsed, err := spec.Parse(config.Values)
	if err != nil {
		t.Fatal(err)
	}
	var rules []corev1.ContainerRestartRule
	for _, m := range parsed.Methods {
		switch m {
		case spec.SignalMethod:
			p.Spec.ShareProcessNamespace = new(true)
		case spec.Restart:
			config.Permit.File = "/certwire/pod/deliver"
			mounts = append(mounts, corev1.VolumeMount{Name: "certwire-pod", MountPath: "/certwire/pod", ReadOnly: true})
			p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "certwire-pod", VolumeSource: corev1.VolumeSource{
				DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: []corev1.DownwardAPIVolumeFile{{
					Path: "deliver", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.annotations['certwire.dev/deliver']"},
				}}},
			}})
			rules = []corev1.ContainerRestartRule{{
				Action: corev1.ContainerRestartRuleActionRestartAllContainers,
				ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{
					Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{88},
				},
			}}
		}
	}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	user := p.Spec.SecurityContext.RunAsUser
	if user == nil || *user == 0 {
		user = new(int64(65532))
	}
	p.Spec.InitContainers = append(p.Spec.InitContainers, corev1.Container{
		Name: "certwire-agent", Image: agentImage, ImagePullPolicy: corev1.PullIfNotPresent,
		Env:           []corev1.EnvVar{{Name: "CERTWIRE_AGENT", Value: string(text)}},
		RestartPolicy: new(corev1.ContainerRestartPolicyAlways), RestartPolicyRules: rules,
		VolumeMounts: mounts, TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{"cpu": resource.MustParse("5m"), "memory": resource.MustParse("16Mi")},
			Limits:   corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("32Mi")},
		},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true), RunAsNonRoot: new(true), RunAsUser: user,
			Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
	})
}
