package delivery

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certwire/certwire/pkg/mutate"
	"github.com/certwire/certwire/pkg/reload/spec"
)

// Pod is a pod as the cache keeps it: nothing of its containers but where TLS may be served.
type Pod struct {
	metav1.ObjectMeta
	// Secrets are those that it refers to; Fresh are those of them of which a running container sees a new content.
	Secrets, Fresh []string
	// Workload is kind/name of who replaces it, or its own.
	Workload string
	IP       string
	IPs      []string // all of them, the primary one first
	// Started is when the pod began, Began when the last of its containers did; zero before all of them run.
	Started, Began time.Time
	Ready          bool
	// Deliver is the annotation certwire.dev/deliver.
	Deliver string
	// Verify and Preset say where it serves TLS; Ports are those of the containers that use a Secret, by Secret.
	Verify, Preset string
	Ports          map[string][]uint16
	// Methods are the agent's; nil for a pod that has none.
	Methods []spec.Method
	// Labels are what PodDisruptionBudgets choose it by; only of a pod whose agent may restart it.
	Labels map[string]string
}

// Restarts reports whether the agent may come to restart the pod's containers.
func (p *Pod) Restarts() bool { return slices.Contains(p.Methods, spec.Restart) }

// Gentle reports whether the agent tries something else first.
func (p *Pod) Gentle() bool { return len(p.Methods) > 0 && p.Methods[0] != spec.Restart }

// TakesPokes reports whether a poke can do anything for a Secret.
func (p *Pod) TakesPokes(secret string) bool {
	return len(p.Methods) > 0 || slices.Contains(p.Fresh, secret)
}

// NewPod keeps of a pod what a delivery needs; nil for one that refers to no Secret, has ended, or is a static pod's
// image, which nobody can change.
func NewPod(p *corev1.Pod) *Pod {
	if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed || p.Annotations[corev1.MirrorPodAnnotationKey] != "" {
		return nil
	}
	lean := mutate.References(&p.Spec)
	references := lean.References()
	if len(references) == 0 {
		return nil
	}
	kept := &Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: p.Name, Namespace: p.Namespace, UID: p.UID, ResourceVersion: p.ResourceVersion, DeletionTimestamp: p.DeletionTimestamp,
		},
		Secrets: lean.SecretNames(), Workload: workloadOf(p), IP: p.Status.PodIP, IPs: ipsOf(p), Ready: isReady(p),
		Deliver: p.Annotations[spec.DeliverKey], Verify: p.Annotations[spec.VerifyKey], Preset: p.Annotations[spec.PresetKey],
		Ports: map[string][]uint16{},
	}
	if p.Status.StartTime != nil {
		kept.Started = p.Status.StartTime.Time
	}
	for _, secret := range kept.Secrets {
		var volumes []string
		for _, r := range references {
			if r.Secret != secret {
				continue
			}
			if !r.Frozen {
				kept.Fresh = append(kept.Fresh, secret)
			}
			volumes = append(volumes, r.Where)
		}
		kept.Ports[secret] = portsOf(p, volumes)
	}
	kept.Fresh = slices.Compact(kept.Fresh)
	kept.Began = beganAt(p)
	kept.readAgent(p)
	if kept.Restarts() {
		kept.Labels = p.Labels
	}
	return kept
}

// stranger keeps of a pod of which NewPod keeps nothing what tells whether an EndpointSlice's address is its own: it may
// serve certificates for others.
func stranger(p *corev1.Pod) *Pod {
	kept := &Pod{ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: p.Namespace, UID: p.UID, ResourceVersion: p.ResourceVersion}}
	if p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
		kept.IPs = ipsOf(p)
		if p.Status.StartTime != nil {
			kept.Started = p.Status.StartTime.Time
		}
	}
	return kept
}

func ipsOf(p *corev1.Pod) []string {
	var out []string
	for _, ip := range p.Status.PodIPs {
		out = append(out, ip.IP)
	}
	return out
}

// agentConfig is the part of the agent's configuration that says how a server takes up a certificate, and where.
type agentConfig struct {
	spec.Values
	Ports []uint16 `json:"ports"`
}

// readAgent reads what the injected agent was told. Pod and agent may say different things: an annotation on a running
// pod can be changed, what the agent does cannot. One that cannot be understood may restart its pod, for all that is known.
func (p *Pod) readAgent(from *corev1.Pod) {
	at := slices.IndexFunc(from.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == mutate.AgentName })
	if at < 0 {
		return
	}
	p.Methods = []spec.Method{spec.Restart}
	env := slices.IndexFunc(from.Spec.InitContainers[at].Env, func(e corev1.EnvVar) bool { return e.Name == spec.ConfigVariable })
	if env < 0 {
		return
	}
	var c agentConfig
	// The kubelet would read $(NAME); the webhook writes $$ for $.
	if json.Unmarshal([]byte(strings.ReplaceAll(from.Spec.InitContainers[at].Env[env].Value, "$$", "$")), &c) != nil {
		return
	}
	if methods, err := spec.ParseMethods(c.Method); err == nil {
		p.Methods = methods
	}
	if c.Verify != "" {
		p.Verify = c.Verify
	}
	if c.Preset != "" {
		p.Preset = c.Preset
	}
	for _, secret := range p.Secrets {
		if len(p.Ports[secret]) == 0 {
			p.Ports[secret] = c.Ports
		}
	}
}

// workloadOf names who replaces the pod: what it belongs to as a whole, its owner, or itself.
func workloadOf(p *corev1.Pod) string {
	owners := make([]mutate.Owner, 0, len(p.OwnerReferences))
	for _, o := range p.OwnerReferences {
		owners = append(owners, mutate.Owner{APIVersion: o.APIVersion, Kind: o.Kind, Name: o.Name, Controller: o.Controller != nil && *o.Controller})
	}
	m := mutate.PodMeta{Name: p.Name, Labels: p.Labels, OwnerReferences: owners}
	if kind, name, ok := m.Workload(); ok {
		return kind + "/" + name
	}
	if o := metav1.GetControllerOf(p); o != nil {
		return o.Kind + "/" + o.Name
	}
	return "Pod/" + p.Name
}

// beganAt is when the last of a pod's containers began; zero while one of them does not run.
func beganAt(p *corev1.Pod) time.Time {
	var last time.Time
	for _, c := range p.Status.ContainerStatuses {
		if c.State.Running == nil {
			return time.Time{}
		}
		if at := c.State.Running.StartedAt.Time; at.After(last) {
			last = at
		}
	}
	return last
}

func isReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// portsOf are the TCP ports of containers that mount one of the volumes, or are named themselves because they take the
// Secret from their environment.
func portsOf(p *corev1.Pod, volumesAndContainers []string) []uint16 {
	var ports []uint16
	for _, list := range [][]corev1.Container{p.Spec.InitContainers, p.Spec.Containers} {
		for i := range list {
			c := &list[i]
			uses := slices.Contains(volumesAndContainers, c.Name) || slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool {
				return slices.Contains(volumesAndContainers, m.Name)
			})
			if !uses || c.Name == mutate.AgentName {
				continue
			}
			for _, port := range c.Ports {
				if port.Protocol != corev1.ProtocolUDP && port.Protocol != corev1.ProtocolSCTP && port.ContainerPort > 0 && port.ContainerPort < 1<<16 {
					ports = append(ports, uint16(port.ContainerPort))
				}
			}
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}
