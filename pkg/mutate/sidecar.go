package mutate

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/certwire/certwire/pkg/reload/spec"
)

// AgentName is the injected container's.
const AgentName = "certwire-agent"

// The volumes that the agent brings along.
const (
	stateVolume   = "certwire-state"    // what outlives its container
	noTokenVolume = "certwire-no-token" // nothing, where a token would be
	podVolume     = "certwire-pod"      // the pod's permit
	envVolume     = "certwire-env-"     // the certificates that the application takes from its environment
)

// Where the agent finds things.
const (
	program       = "/agent" // the image's own, see Dockerfile
	agentFolder   = "/certwire"
	volumesFolder = "/certwire/volumes"
	stateFolder   = "/certwire/state"
	podFolder     = "/certwire/pod"
	deliverFile   = "deliver"
	// tokenFolder is where the API server's ServiceAccount plugin mounts a token in every container that has nothing
	// there (kubernetes plugin/pkg/admission/serviceaccount/admission.go).
	tokenFolder = "/var/run/secrets/kubernetes.io/serviceaccount"
)

// maxVariable bounds the agent's configuration: a process with a variable of 128 KiB cannot be started (execve(2), MAX_ARG_STRLEN).
const maxVariable = 100 << 10

// sidecar is what is added to a pod.
type sidecar struct {
	container corev1.Container
	volumes   []corev1.Volume
}

// newSidecar composes the container.
func newSidecar(c choice) (sidecar, error) {
	s := sidecar{container: corev1.Container{
		Name: AgentName, Image: c.agent.Image, ImagePullPolicy: corev1.PullIfNotPresent,
		RestartPolicy:            new(corev1.ContainerRestartPolicyAlways),
		TerminationMessagePath:   corev1.TerminationMessagePathDefault,
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		SecurityContext:          securityContext(c),
	}}
	config := spec.Config{Values: c.values, State: stateFolder, Ports: c.consumer.ports()}
	config.Method = join(c.methods)
	restarts := slices.Contains(c.methods, spec.Restart)
	if restarts {
		s.container.RestartPolicyRules = []corev1.ContainerRestartRule{{
			Action:    corev1.ContainerRestartRuleActionRestartAllContainers,
			ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{spec.RestartExitCode}},
		}}
		config.Permit = spec.Permit{
			File: path.Join(podFolder, deliverFile), Deadline: spec.Duration(c.agent.Deadline), Spread: spec.Duration(c.agent.Spread),
		}
	}
	s.watch(&config, c)
	s.carry(restarts)
	s.container.VolumeMounts = append(s.container.VolumeMounts, shared(c.mounts)...)
	text, err := json.Marshal(config)
	if err != nil {
		return s, err
	}
	if len(text) > maxVariable {
		return s, fmt.Errorf("its configuration would have %d bytes, and may have %d", len(text), maxVariable)
	}
	s.container.Env = []corev1.EnvVar{{Name: spec.ConfigVariable, Value: escape(string(text))}}
	if port := c.agent.MetricsPort; port > 0 {
		s.container.Env = append(s.container.Env, corev1.EnvVar{Name: spec.ListenVariable, Value: ":" + strconv.Itoa(int(port))})
		s.container.Ports = []corev1.ContainerPort{{Name: AgentName, ContainerPort: port, Protocol: corev1.ProtocolTCP}}
	}
	s.container.Resources = c.resources
	return s, nil
}

// escape keeps the kubelet from reading $(NAME) in a value as a reference (k8s.io/kubernetes third_party/forked/golang/expansion).
func escape(value string) string { return strings.ReplaceAll(value, "$", "$$") }

// watch mounts what holds certificates: the application's own volumes under their names, so that both see the same
// change, and, for a certificate that it takes from its environment alone, a volume with the public half.
func (s *sidecar) watch(config *spec.Config, c choice) {
	seen := map[string]bool{}
	mounted := map[string]bool{}
	add := func(volume string, certificate spec.Certificate) {
		if len(config.Certificates) >= spec.MaxCertificates {
			return
		}
		certificate.Name = unused(seen, certificate.Name, volume)
		seen[certificate.Name] = true
		certificate.Root = path.Join(volumesFolder, volume)
		config.Certificates = append(config.Certificates, certificate)
		if !mounted[volume] {
			mounted[volume] = true
			s.container.VolumeMounts = append(s.container.VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: certificate.Root, ReadOnly: true})
		}
	}
	for _, w := range c.consumer.watched {
		add(w.volume, spec.Certificate{Name: w.secret, Cert: unlessDefault(w.cert, "tls.crt"), Key: unlessDefault(w.key, "tls.key"), CA: unlessDefault(w.ca, "ca.crt")})
	}
	for i, secret := range c.consumer.unmounted {
		name := envVolume + strconv.Itoa(i)
		s.volumes = append(s.volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
			SecretName: secret, Optional: new(true), Items: []corev1.KeyToPath{{Key: "tls.crt", Path: "tls.crt"}},
		}}})
		add(name, spec.Certificate{Name: secret, Key: "-", CA: "-"})
	}
}

// unused is a name that no other certificate has, of what the agent takes at most.
func unused(seen map[string]bool, secret, volume string) string {
	const most = 253
	name := secret
	for n, end := 1, " in "+volume; seen[name]; n, end = n+1, fmt.Sprintf(" in %s (%d)", volume, n+1) {
		name = secret[:min(len(secret), most-len(end))] + end
	}
	return name
}

// unlessDefault is how the agent's configuration spells a path: nothing for the usual one, a dash for none.
func unlessDefault(file, usual string) string {
	switch file {
	case usual:
		return ""
	case "":
		return "-"
	case "-":
		return "./-"
	}
	return file
}

// carry adds the volumes of the agent's own.
func (s *sidecar) carry(restarts bool) {
	tiny := resource.MustParse("1Mi")
	s.volumes = append(s.volumes,
		corev1.Volume{Name: stateVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &tiny}}},
		corev1.Volume{Name: noTokenVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &tiny}}})
	s.container.VolumeMounts = append(s.container.VolumeMounts,
		corev1.VolumeMount{Name: stateVolume, MountPath: stateFolder},
		corev1.VolumeMount{Name: noTokenVolume, MountPath: tokenFolder, ReadOnly: true})
	if restarts {
		s.volumes = append(s.volumes, corev1.Volume{Name: podVolume, VolumeSource: corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{
			Items: []corev1.DownwardAPIVolumeFile{{
				Path: deliverFile, FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.annotations['" + spec.DeliverKey + "']"},
			}},
		}}})
		s.container.VolumeMounts = append(s.container.VolumeMounts, corev1.VolumeMount{Name: podVolume, MountPath: podFolder, ReadOnly: true})
	}
}

// shared are mounts of the application's for the agent: the same places, but only to read. A unix socket can be spoken to
// all the same.
func shared(mounts []corev1.VolumeMount) []corev1.VolumeMount {
	out := make([]corev1.VolumeMount, 0, len(mounts))
	for _, m := range mounts {
		out = append(out, corev1.VolumeMount{Name: m.Name, MountPath: m.MountPath, SubPath: m.SubPath, ReadOnly: true})
	}
	return out
}

// securityContext is what Pod Security "restricted" asks of a container, said on the container itself: the pod may say
// something else (k8s.io/pod-security-admission policy). Where the agent signals, the profiles that confine the
// application are its own too: AppArmor lets signals pass only within one.
func securityContext(c choice) *corev1.SecurityContext {
	out := &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		Privileged:               new(false),
		ReadOnlyRootFilesystem:   new(true),
		RunAsNonRoot:             new(c.user != 0),
		RunAsUser:                new(c.user),
		SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	if len(c.consumer.users) == 0 || !slices.Contains(c.methods, spec.SignalMethod) {
		return out
	}
	if app := c.consumer.users[0].SecurityContext; app != nil {
		out.RunAsGroup, out.AppArmorProfile, out.SELinuxOptions = app.RunAsGroup, app.AppArmorProfile, app.SELinuxOptions
	}
	return out
}

func join(methods []spec.Method) string {
	words := make([]string, 0, len(methods))
	for _, m := range methods {
		words = append(words, string(m))
	}
	return strings.Join(words, ",")
}
