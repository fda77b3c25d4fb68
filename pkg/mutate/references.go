package mutate

import "slices"

// Via says how a pod refers to a Secret.
type Via string

// The ways a pod can refer to a Secret (core/v1 PodSpec). Image pull Secrets and CSI node-publish Secrets are used by
// the kubelet, not by the pod, and do not count.
const (
	ViaVolume    Via = "volume"
	ViaProjected Via = "projected"
	ViaEnv       Via = "env"
	ViaEnvFrom   Via = "envFrom"
)

// Reference is one place in a pod template that names a Secret.
type Reference struct {
	// Secret is the name, in the pod's namespace.
	Secret string
	// Via says how.
	Via Via
	// Where is the volume's name, or the container's for env and envFrom.
	Where string
	// Optional is true when the pod starts without the Secret.
	Optional bool
	// Frozen is true when a running container can never see a new value: env and envFrom always, a volume when a
	// container mounts it through subPath or subPathExpr.
	Frozen bool
}

// References returns every reference to a Secret, in the order of the template: volumes first, then init containers,
// then containers.
func (p *PodSpec) References() []Reference {
	var refs []Reference
	for i := range p.Volumes {
		v := &p.Volumes[i]
		if v.Secret != nil && v.Secret.SecretName != "" {
			refs = append(refs, Reference{v.Secret.SecretName, ViaVolume, v.Name, v.Secret.Optional, p.frozen(v.Name)})
		}
		if v.Projected == nil {
			continue
		}
		for _, s := range v.Projected.Sources {
			if s.Secret != nil && s.Secret.Name != "" {
				refs = append(refs, Reference{s.Secret.Name, ViaProjected, v.Name, s.Secret.Optional, p.frozen(v.Name)})
			}
		}
	}
	for _, list := range [][]Container{p.InitContainers, p.Containers} {
		for i := range list {
			refs = list[i].appendReferences(refs)
		}
	}
	return refs
}

// SecretNames returns the Secrets that the pod refers to, sorted, each once.
func (p *PodSpec) SecretNames() []string {
	refs := p.References()
	names := make([]string, 0, len(refs))
	for _, r := range refs {
		names = append(names, r.Secret)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (c *Container) appendReferences(refs []Reference) []Reference {
	for _, e := range c.Env {
		if ref := e.ValueFrom.SecretKeyRef; ref != nil && ref.Name != "" {
			refs = append(refs, Reference{ref.Name, ViaEnv, c.Name, ref.Optional, true})
		}
	}
	for _, e := range c.EnvFrom {
		if e.SecretRef != nil && e.SecretRef.Name != "" {
			refs = append(refs, Reference{e.SecretRef.Name, ViaEnvFrom, c.Name, e.SecretRef.Optional, true})
		}
	}
	return refs
}

func (p *PodSpec) frozen(volume string) bool {
	for _, list := range [][]Container{p.InitContainers, p.Containers} {
		for i := range list {
			for _, m := range list[i].VolumeMounts {
				if m.Name == volume && (m.SubPath != "" || m.SubPathExpr != "") {
					return true
				}
			}
		}
	}
	return false
}
