package pods

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/certwire/certwire/pkg/probe"
)

// The images of the pods, which [Images] builds.
const (
	AppImage     = "certwire.test/app:test"
	AgentImage   = "certwire.test/agent:test"
	ServersImage = "certwire.test/servers:test"
)

const (
	// UID is the user of the pods' servers, whom the servers' image has a name for.
	UID = 1000
	// SecretName is the certificate Secret of every pod's namespace.
	SecretName = "web-tls"
	// configName is the ConfigMap with the server's file.
	configName = "server"
)

// Server is a kind of pod with one server in it.
type Server struct {
	// Port speaks TLS, after the beginning of Protocol if there is one.
	Port     int32
	Protocol probe.Protocol
	// Annotations are the pod's.
	Annotations map[string]string
	// Config is a file of the server's, /etc/server/config in the pod, by way of a [ConfigMap]. Empty for none.
	Config string
	// Change completes the pod.
	Change func(*corev1.PodSpec)
}

// Pod is a restricted pod of a server. The certificate's volume is at /tls, and /tmp can be written to.
func (s Server) Pod() *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Annotations: maps.Clone(s.Annotations)},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken:  new(true), // the default; the agent is to have none even so
			TerminationGracePeriodSeconds: new(int64(1)),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: new(true), RunAsUser: new(int64(UID)), RunAsGroup: new(int64(UID)), FSGroup: new(int64(UID)),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{container("server", s.Port)},
			Volumes: []corev1.Volume{
				{Name: "tls", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
					SecretName: SecretName, DefaultMode: new(int32(0o440)),
				}}},
				{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			},
		},
	}
	if s.Config != "" {
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "config", VolumeSource: corev1.VolumeSource{
			ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: configName}},
		}})
		c := &p.Spec.Containers[0]
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "config", MountPath: "/etc/server", ReadOnly: true})
	}
	s.Change(&p.Spec)
	return p
}

// ConfigMap is what a pod with a configuration wants beside its Secret, to be made before it.
func ConfigMap(text string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: configName}, Data: map[string]string{"config": text}}
}

func container(name string, port int32) corev1.Container {
	c := corev1.Container{
		Name: name, Image: ServersImage, ImagePullPolicy: corev1.PullNever,
		Env: []corev1.EnvVar{{Name: "LC_ALL", Value: "C"}},
		VolumeMounts: []corev1.VolumeMount{
			{Name: "tls", MountPath: "/tls", ReadOnly: true},
			{Name: "tmp", MountPath: "/tmp"},
		},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false),
			ReadOnlyRootFilesystem:   new(true),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
	if port != 0 {
		c.Ports = []corev1.ContainerPort{{ContainerPort: port}}
		c.ReadinessProbe = &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(port)}},
			PeriodSeconds: 1, FailureThreshold: 120,
		}
	}
	return c
}

// shell has /bin/sh run a command in the first container.
func shell(command string) func(*corev1.PodSpec) {
	return func(p *corev1.PodSpec) { p.Containers[0].Command = []string{"/bin/sh", "-c", "exec " + command} }
}
