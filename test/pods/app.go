package pods

import (
	corev1 "k8s.io/api/core/v1"
)

// TestPort answers a test in the pods of our own server.
const TestPort = "8080"

// App is the server of test/agent/app, which takes its certificate from where the word says: once, watch or env.
func App(from string, annotations map[string]string) Server {
	return Server{
		Port: 8443, Annotations: annotations,
		Change: func(p *corev1.PodSpec) {
			p.Containers[0].Image = AppImage
			p.Containers[0].Args = []string{"serve", "--from=" + from, "--starts=" + starts}
		},
	}
}

// starts is a file with a line for each run of the pod's init container.
const starts = "/tmp/starts"

// Counted gives a pod of our own server an init container, which counts how often it ran.
func Counted(s Server) Server {
	change := s.Change
	s.Change = func(p *corev1.PodSpec) {
		change(p)
		count := container("count", 0)
		count.Image, count.Args = AppImage, []string{"start", starts}
		p.InitContainers = append(p.InitContainers, count)
	}
	return s
}

// AppFromEnvironment is given its certificate in environment variables, and has no volume with it.
func AppFromEnvironment(annotations map[string]string) Server {
	s := App("env", annotations)
	change := s.Change
	s.Change = func(p *corev1.PodSpec) {
		change(p)
		p.Volumes = p.Volumes[1:]
		for _, list := range [][]corev1.Container{p.InitContainers, p.Containers} {
			for i := range list {
				list[i].VolumeMounts = list[i].VolumeMounts[1:]
			}
		}
		for variable, key := range map[string]string{"TLS_CRT": "tls.crt", "TLS_KEY": "tls.key"} {
			p.Containers[0].Env = append(p.Containers[0].Env, corev1.EnvVar{
				Name: variable, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
					LocalObjectReference: corev1.LocalObjectReference{Name: SecretName}, Key: key,
				}},
			})
		}
	}
	return s
}

// AppFromSubPath mounts each file by itself.
func AppFromSubPath(annotations map[string]string) Server {
	s := App("once", annotations)
	change := s.Change
	s.Change = func(p *corev1.PodSpec) {
		change(p)
		c := &p.Containers[0]
		c.VolumeMounts = c.VolumeMounts[1:]
		for _, key := range []string{"tls.crt", "tls.key"} {
			c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "tls", MountPath: "/tls/" + key, SubPath: key, ReadOnly: true})
		}
	}
	return s
}
