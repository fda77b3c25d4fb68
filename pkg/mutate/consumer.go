package mutate

import (
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/certwire/certwire/pkg/reload/spec"
)

// consumer is a pod, or what will be one, seen from the agent: which files hold certificates, and who reads them.
type consumer struct {
	spec *corev1.PodSpec
	// watched are the volumes with a certificate that the agent can see change.
	watched []watched
	// frozen are the Secrets that a running container never sees anew: by env, envFrom or subPath.
	frozen []string
	// unmounted are the frozen ones that no volume holds.
	unmounted []string
	// blind says for a Secret why the agent could not see it change.
	blind map[string]string
	// users are the containers that refer to one of the Secrets.
	users []*corev1.Container
}

// watched is one certificate in one volume of the pod's own.
type watched struct {
	volume, secret string
	// cert, key and ca are paths in the volume; key and ca may be empty.
	cert, key, ca string
}

// newConsumer looks at a pod spec for these certificate Secrets. user is who the agent would be.
func newConsumer(s *corev1.PodSpec, secrets []string, user int64) consumer {
	c := consumer{spec: s, blind: map[string]string{}}
	for _, r := range referencesOf(s) {
		if !slices.Contains(secrets, r.Secret) {
			continue
		}
		if r.Frozen && !slices.Contains(c.frozen, r.Secret) {
			c.frozen = append(c.frozen, r.Secret)
		}
	}
	mounted := map[string]bool{}
	for i := range s.Volumes {
		v := &s.Volumes[i]
		if !mounts(s, v.Name) {
			continue
		}
		for _, w := range certificatesOf(v) {
			if !slices.Contains(secrets, w.secret) {
				continue
			}
			mounted[w.secret] = true
			switch {
			case w.cert == "":
				c.blind[w.secret] = "volume " + v.Name + " leaves tls.crt out"
			case !readable(v, s, user):
				c.blind[w.secret] = "only root can read volume " + v.Name + " (defaultMode); set fsGroup"
			default:
				c.watched = append(c.watched, w)
			}
		}
	}
	for _, secret := range c.frozen {
		if !mounted[secret] {
			c.unmounted = append(c.unmounted, secret)
		}
	}
	for _, w := range c.watched {
		delete(c.blind, w.secret) // another volume shows it
	}
	c.users = usersOf(s, secrets, c.watched)
	return c
}

// referencesOf lists a pod spec's references to Secrets.
func referencesOf(s *corev1.PodSpec) []Reference {
	lean := References(s)
	return lean.References()
}

// certificatesOf lists the Secrets of a volume with the paths of their parts. Which Secret is a certificate's is not
// known here.
func certificatesOf(v *corev1.Volume) []watched {
	one := func(secret string, items []corev1.KeyToPath) watched {
		at := func(key string) string {
			if len(items) == 0 {
				return key
			}
			for _, item := range items {
				if item.Key == key {
					return path.Clean(item.Path)
				}
			}
			return ""
		}
		return watched{volume: v.Name, secret: secret, cert: at("tls.crt"), key: at("tls.key"), ca: at("ca.crt")}
	}
	var all []watched
	switch {
	case v.Secret != nil && v.Secret.SecretName != "":
		all = append(all, one(v.Secret.SecretName, v.Secret.Items))
	case v.Projected != nil:
		for _, s := range v.Projected.Sources {
			if s.Secret != nil && s.Secret.Name != "" {
				all = append(all, one(s.Secret.Name, s.Secret.Items))
			}
		}
	}
	return all
}

// readable tells whether a user who is not root can read a Secret volume's certificate: the files are root's, and the
// group's with an fsGroup (kubernetes pkg/volume/util/atomic_writer.go and volume/volume_linux.go).
func readable(v *corev1.Volume, s *corev1.PodSpec, user int64) bool {
	if user == 0 || (s.SecurityContext != nil && s.SecurityContext.FSGroup != nil) {
		return true
	}
	mode := int32(0o644)
	items := []corev1.KeyToPath{}
	switch {
	case v.Secret != nil:
		if v.Secret.DefaultMode != nil {
			mode = *v.Secret.DefaultMode
		}
		items = v.Secret.Items
	case v.Projected != nil:
		if v.Projected.DefaultMode != nil {
			mode = *v.Projected.DefaultMode
		}
		for _, source := range v.Projected.Sources {
			if source.Secret != nil {
				items = append(items, source.Secret.Items...)
			}
		}
	}
	for _, item := range items {
		if item.Key == "tls.crt" && item.Mode != nil {
			mode = *item.Mode
		}
	}
	const others = 0o004
	return mode&others != 0
}

// mounts reports whether a container of the application mounts a volume.
func mounts(s *corev1.PodSpec, volume string) bool {
	for c := range allContainers(s) {
		if c.Name != AgentName && slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == volume }) {
			return true
		}
	}
	return false
}

// usersOf lists the long-running containers that refer to the Secrets, or all of them where none does.
func usersOf(s *corev1.PodSpec, secrets []string, volumes []watched) []*corev1.Container {
	var users []*corev1.Container
	for i := range s.Containers {
		c := &s.Containers[i]
		mounted := slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool {
			return slices.ContainsFunc(volumes, func(w watched) bool { return w.volume == m.Name })
		})
		env := slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool {
			return e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil && slices.Contains(secrets, e.ValueFrom.SecretKeyRef.Name)
		})
		from := slices.ContainsFunc(c.EnvFrom, func(e corev1.EnvFromSource) bool {
			return e.SecretRef != nil && slices.Contains(secrets, e.SecretRef.Name)
		})
		if mounted || env || from {
			users = append(users, c)
		}
	}
	if len(users) == 0 {
		for i := range s.Containers {
			users = append(users, &s.Containers[i])
		}
	}
	return users
}

// user is the one UID of the containers that use the certificate; false when it is not written down, or not one.
func (c *consumer) user() (int64, bool) {
	var uid *int64
	for _, u := range c.users {
		own := uidOf(c.spec, u)
		if own == nil || (uid != nil && *uid != *own) {
			return 0, false
		}
		uid = own
	}
	if uid == nil {
		return 0, false
	}
	return *uid, true
}

// uidOf is who a container runs as; nil when its image says so alone.
func uidOf(s *corev1.PodSpec, c *corev1.Container) *int64 {
	if c.SecurityContext != nil && c.SecurityContext.RunAsUser != nil {
		return c.SecurityContext.RunAsUser
	}
	if s.SecurityContext != nil {
		return s.SecurityContext.RunAsUser
	}
	return nil
}

// ports are those that the users of the certificate declare, or all of the pod's where they declare none; at most as many
// as the agent takes.
func (c *consumer) ports() []uint16 {
	var ports []uint16
	add := func(from *corev1.Container) {
		for _, p := range from.Ports {
			n := uint16(p.ContainerPort)
			if (p.Protocol == "" || p.Protocol == corev1.ProtocolTCP) && n > 0 && !slices.Contains(ports, n) && len(ports) < spec.MaxPorts {
				ports = append(ports, n)
			}
		}
	}
	for _, u := range c.users {
		add(u)
	}
	if len(ports) == 0 {
		for i := range c.spec.Containers {
			add(&c.spec.Containers[i])
		}
	}
	return ports
}

// holding finds the mount that a path of the application's is in: the longest one counts. The agent then mounts the same,
// at the same place. One whose folder depends on the container's environment cannot be mounted so.
func (c *consumer) holding(file string) (corev1.VolumeMount, bool) {
	var best *corev1.VolumeMount
	for _, u := range c.users {
		for i := range u.VolumeMounts {
			m := &u.VolumeMounts[i]
			if within(file, m.MountPath) && (best == nil || len(place(m.MountPath)) > len(place(best.MountPath))) {
				best = m
			}
		}
	}
	if best == nil || best.SubPathExpr != "" {
		return corev1.VolumeMount{}, false
	}
	return *best, true
}

// place is where the kubelet mounts: paths are cleaned, and those that do not begin at the root do all the same
// (kubernetes pkg/kubelet/kubelet_pods.go, makeMounts).
func place(mountPath string) string { return path.Join("/", mountPath) }

// within reports whether a file is a folder, or in it.
func within(file, folder string) bool {
	file, folder = place(file), place(folder)
	return file == folder || strings.HasPrefix(file, strings.TrimSuffix(folder, "/")+"/")
}

// allContainers goes through init containers and containers.
func allContainers(s *corev1.PodSpec) func(func(*corev1.Container) bool) {
	return func(yield func(*corev1.Container) bool) {
		for _, list := range [][]corev1.Container{s.InitContainers, s.Containers} {
			for i := range list {
				if !yield(&list[i]) {
					return
				}
			}
		}
	}
}
