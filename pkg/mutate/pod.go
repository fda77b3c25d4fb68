package mutate

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	corev1 "k8s.io/api/core/v1"

	"github.com/certwire/certwire/pkg/reload/spec"
)

// Pod is what a plan for the agent depends on in a Pod. Its spec is only read: what changes is written as operations on
// the raw object.
type Pod struct {
	Metadata *PodMeta       `json:"metadata"`
	Spec     corev1.PodSpec `json:"spec"`
}

// PodMeta is the part of metadata.k8s.io ObjectMeta that plans for Pods read.
type PodMeta struct {
	Name            string            `json:"name"`
	GenerateName    string            `json:"generateName"`
	Labels          map[string]string `json:"labels"`
	Annotations     map[string]string `json:"annotations"`
	OwnerReferences []Owner           `json:"ownerReferences"`
}

// Owner is one of a Pod's owners.
type Owner struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	Controller bool   `json:"controller"`
}

// Template is a workload whose pod template is read in full. It is decoded only where the template says something of the
// agent, see [Workload.Declares].
type Template struct {
	Spec struct {
		Template struct {
			Spec corev1.PodSpec `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
}

// DecodePod reads a Pod from its JSON. Unknown fields are skipped; a field of the wrong type, a key that occurs twice or
// bytes that are not UTF-8 are errors.
func DecodePod(object []byte) (*Pod, error) {
	p := &Pod{}
	if err := json.Unmarshal(object, p); err != nil {
		return nil, fmt.Errorf("decoding the pod: %w", err)
	}
	return p, nil
}

// Declares reports whether the pod template says how its server takes up a certificate: then a plan needs
// [Workload.Pod].
func (w *Workload) Declares() bool { return declares(w.Spec.Template.Metadata.Annotations) }

func declares(annotations map[string]string) bool {
	return slices.ContainsFunc([]string{MethodKey, PresetKey, spec.HTTPKey, spec.SocketKey, spec.SignalKey}, func(key string) bool {
		return annotations[key] != ""
	})
}

// controller is the owner that makes and replaces the Pod; nil without one.
func (m *PodMeta) controller() *Owner {
	for i := range m.OwnerReferences {
		if m.OwnerReferences[i].Controller {
			return &m.OwnerReferences[i]
		}
	}
	return nil
}

// Workload names the Deployment, StatefulSet or DaemonSet that a Pod belongs to, as far as the Pod tells: a ReplicaSet
// that a Deployment made is named after it and the label pod-template-hash (kubernetes pkg/controller/deployment/sync.go).
func (m *PodMeta) Workload() (kind, name string, ok bool) {
	o := m.controller()
	if o == nil || o.APIVersion != "apps/v1" {
		return "", "", false
	}
	switch o.Kind {
	case "StatefulSet", "DaemonSet":
		return o.Kind, o.Name, true
	case "ReplicaSet":
		hash := m.Labels["pod-template-hash"]
		if n := len(o.Name) - len(hash) - 1; hash != "" && n > 0 && o.Name[n:] == "-"+hash {
			return "Deployment", o.Name[:n], true
		}
	}
	return "", "", false
}

// References is the part of a pod spec that refers to Secrets, as [Decode] keeps it of a workload's.
func References(s *corev1.PodSpec) PodSpec {
	var out PodSpec
	for i := range s.Volumes {
		v := &s.Volumes[i]
		switch {
		case v.Secret != nil:
			out.Volumes = append(out.Volumes, Volume{Name: v.Name, Secret: &SecretVolume{
				SecretName: v.Secret.SecretName, Optional: isTrue(v.Secret.Optional),
			}})
		case v.Projected != nil:
			p := &ProjectedVolume{}
			for _, source := range v.Projected.Sources {
				if r := source.Secret; r != nil {
					p.Sources = append(p.Sources, ProjectedSource{Secret: &SecretRef{Name: r.Name, Optional: isTrue(r.Optional)}})
				}
			}
			if len(p.Sources) > 0 {
				out.Volumes = append(out.Volumes, Volume{Name: v.Name, Projected: p})
			}
		}
	}
	volumes := map[string]bool{}
	for _, v := range out.Volumes {
		volumes[v.Name] = true
	}
	out.InitContainers = containers(s.InitContainers, volumes)
	out.Containers = containers(s.Containers, volumes)
	return out
}

func containers(list []corev1.Container, volumes map[string]bool) []Container {
	var out []Container
	for i := range list {
		c := &list[i]
		kept := Container{Name: c.Name}
		for _, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				ref := e.ValueFrom.SecretKeyRef
				kept.Env = append(kept.Env, EnvVar{ValueFrom: EnvVarSource{SecretKeyRef: &SecretRef{Name: ref.Name, Optional: isTrue(ref.Optional)}}})
			}
		}
		for _, e := range c.EnvFrom {
			if e.SecretRef != nil {
				kept.EnvFrom = append(kept.EnvFrom, EnvFrom{SecretRef: &SecretRef{Name: e.SecretRef.Name, Optional: isTrue(e.SecretRef.Optional)}})
			}
		}
		for _, m := range c.VolumeMounts {
			if volumes[m.Name] && (m.SubPath != "" || m.SubPathExpr != "") {
				kept.VolumeMounts = append(kept.VolumeMounts, VolumeMount{Name: m.Name, SubPath: m.SubPath, SubPathExpr: m.SubPathExpr})
			}
		}
		if len(kept.Env)+len(kept.EnvFrom)+len(kept.VolumeMounts) > 0 {
			out = append(out, kept)
		}
	}
	return out
}

func isTrue(b *bool) bool { return b != nil && *b }
