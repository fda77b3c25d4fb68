package mutate

import corev1 "k8s.io/api/core/v1"

// Workload is what a plan depends on in a Deployment, StatefulSet or DaemonSet: its labels and annotations, those of
// its pod template, and every place a pod can name a Secret in. It decodes from the object's JSON; all else is skipped.
type Workload struct {
	Kind     string  `json:"kind"`
	Metadata *Meta   `json:"metadata"`
	Spec     AppSpec `json:"spec"`
	// Pod is the pod template's spec, decoded in full, where [Workload.Declares] asks for it.
	Pod *corev1.PodSpec `json:"-"`
}

// Meta is the part of metadata.k8s.io ObjectMeta that plans read. A nil map means that the object has none, which a
// patch has to know.
type Meta struct {
	Name              string            `json:"name"`
	GenerateName      string            `json:"generateName"`
	Labels            Labels            `json:"labels"`
	Annotations       map[string]string `json:"annotations"`
	DeletionTimestamp string            `json:"deletionTimestamp"`
}

// Labels holds the one label that plans read; decoding skips the others.
type Labels struct {
	Reload string `json:"certwire.dev/reload"`
}

// AppSpec is the common part of the three workload specs.
type AppSpec struct {
	Paused         bool        `json:"paused"`
	UpdateStrategy Strategy    `json:"updateStrategy"`
	Template       PodTemplate `json:"template"`
}

// Strategy is a StatefulSet's or DaemonSet's update strategy.
type Strategy struct {
	Type          string  `json:"type"`
	RollingUpdate Rolling `json:"rollingUpdate"`
}

// Rolling is how a StatefulSet rolls out: pods with an ordinal below the partition stay as they are.
type Rolling struct {
	Partition int64 `json:"partition"`
}

// PodTemplate is a pod template's metadata and the Secret references of its spec.
type PodTemplate struct {
	Metadata Meta    `json:"metadata"`
	Spec     PodSpec `json:"spec"`
}

// PodSpec is the part of core/v1 PodSpec that can refer to a certificate Secret.
type PodSpec struct {
	Volumes        Volumes     `json:"volumes"`
	InitContainers []Container `json:"initContainers"`
	Containers     []Container `json:"containers"`
}

// Volume is a volume with its Secret sources.
type Volume struct {
	Name      string           `json:"name"`
	Secret    *SecretVolume    `json:"secret"`
	Projected *ProjectedVolume `json:"projected"`
}

// SecretVolume is core/v1 SecretVolumeSource. Which keys are projected (items) does not matter to a rollout.
type SecretVolume struct {
	SecretName string `json:"secretName"`
	Optional   bool   `json:"optional"`
}

// ProjectedVolume is core/v1 ProjectedVolumeSource.
type ProjectedVolume struct {
	Sources []ProjectedSource `json:"sources"`
}

// ProjectedSource is one source of a projected volume.
type ProjectedSource struct {
	Secret *SecretRef `json:"secret"`
}

// SecretRef names a Secret in the pod's namespace.
type SecretRef struct {
	Name     string `json:"name"`
	Optional bool   `json:"optional"`
}

// Container is a container with its mounts and environment.
type Container struct {
	Name         string       `json:"name"`
	Env          EnvVars      `json:"env"`
	EnvFrom      []EnvFrom    `json:"envFrom"`
	VolumeMounts VolumeMounts `json:"volumeMounts"`
}

// EnvVar is an environment variable that may come from a Secret.
type EnvVar struct {
	ValueFrom EnvVarSource `json:"valueFrom"`
}

// EnvVarSource is core/v1 EnvVarSource.
type EnvVarSource struct {
	SecretKeyRef *SecretRef `json:"secretKeyRef"`
}

// EnvFrom is core/v1 EnvFromSource.
type EnvFrom struct {
	SecretRef *SecretRef `json:"secretRef"`
}

// VolumeMount tells whether a container sees later changes of a volume: a subPath mount never does.
type VolumeMount struct {
	Name        string `json:"name"`
	SubPath     string `json:"subPath"`
	SubPathExpr string `json:"subPathExpr"`
}
