package agent

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/certwire/certwire/pkg/probe"
)

const (
	// uid is the user of the pods' servers, whom the servers' image has a name for.
	uid = 1000
	// secretName is the Secret of every test's namespace, which a Certificate of it names.
	secretName = "web-tls"
	// host is the name that all leaves are for.
	host = "web.example.com"
)

// server is a kind of pod with one server in it.
type server struct {
	// port speaks TLS, after the beginning of protocol if there is one.
	port     int32
	protocol probe.Protocol
	// annotations are the pod's.
	annotations map[string]string
	// config is a file of the server's, /etc/server/config in the pod.
	config string
	// change completes the pod.
	change func(*corev1.PodSpec)
}

// pod is a restricted pod of a server. The certificate's volume is at /tls, and /tmp can be written to.
func (s server) pod() *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Annotations: maps.Clone(s.annotations)},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken:  new(true), // the default; the agent is to have none even so
			TerminationGracePeriodSeconds: new(int64(1)),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: new(true), RunAsUser: new(int64(uid)), RunAsGroup: new(int64(uid)), FSGroup: new(int64(uid)),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{container("server", s.port)},
			Volumes: []corev1.Volume{
				{Name: "tls", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
					SecretName: secretName, DefaultMode: new(int32(0o440)),
				}}},
				{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
				{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
					LocalObjectReference: corev1.LocalObjectReference{Name: "server"},
				}}},
			},
		},
	}
	s.change(&p.Spec)
	return p
}

func container(name string, port int32) corev1.Container {
	c := corev1.Container{
		Name: name, Image: serversImage, ImagePullPolicy: corev1.PullNever,
		Env: []corev1.EnvVar{{Name: "LC_ALL", Value: "C"}},
		VolumeMounts: []corev1.VolumeMount{
			{Name: "tls", MountPath: "/tls", ReadOnly: true},
			{Name: "tmp", MountPath: "/tmp"},
			{Name: "config", MountPath: "/etc/server", ReadOnly: true},
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

const nginxConfig = `
daemon off;
worker_processes 2;
pid /tmp/nginx.pid;
error_log stderr;
events { worker_connections 512; }
http {
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  access_log off;
  server {
    listen 8443 ssl;
    ssl_certificate /tls/tls.crt;
    ssl_certificate_key /tls/tls.key;
    location / { return 200 "ok"; }
    location = /config { alias /etc/server/config; }
    location = /slow { alias /etc/server/config; limit_rate 100; }
  }
}
`

func nginx(annotations map[string]string) server {
	return server{
		port: 8443, annotations: annotations, config: nginxConfig,
		change: shell("/usr/sbin/nginx -e stderr -c /etc/server/config"),
	}
}

const haproxyConfig = `
global
  stats socket ipv4@127.0.0.1:9999 level admin
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend tls
  bind :8443 ssl crt /tls/site.pem
  http-request return status 200 content-type text/plain string ok
`

// haproxy wants the key next to the certificate, under its name with .key behind it: the volume names them so. Not
// tls.crt: its runtime API takes such an ending for a word of its own (HAProxy 2.6, src/ssl_ckch.c, cert_exts), and says
// that the configuration does not know the file.
func haproxy(annotations map[string]string) server {
	return server{
		port: 8443, annotations: annotations, config: haproxyConfig,
		change: func(p *corev1.PodSpec) {
			shell("/usr/sbin/haproxy -W -db -f /etc/server/config")(p)
			p.Volumes[0].Secret.Items = []corev1.KeyToPath{
				{Key: "tls.crt", Path: "site.pem"}, {Key: "tls.key", Path: "site.pem.key"},
			}
		},
	}
}

// postgres makes its database first, in an init container that may run again.
func postgres(annotations map[string]string) server {
	return server{
		port: 5432, protocol: probe.Postgres, annotations: annotations,
		change: func(p *corev1.PodSpec) {
			first := container("database", 0)
			first.Command = []string{"/bin/sh", "-c",
				"[ -d /tmp/data ] || exec /usr/lib/postgresql/*/bin/initdb -D /tmp/data -U postgres -A trust --no-sync"}
			p.InitContainers = append(p.InitContainers, first)
			shell("/usr/lib/postgresql/*/bin/postgres -D /tmp/data -c listen_addresses='*' -c unix_socket_directories=/tmp -c fsync=off" +
				" -c ssl=on -c ssl_cert_file=/tls/tls.crt -c ssl_key_file=/tls/tls.key")(p)
		},
	}
}

func redis(annotations map[string]string) server {
	return server{
		port: 6379, annotations: annotations,
		change: shell("/usr/bin/redis-server --port 0 --tls-port 6379 --tls-cert-file /tls/tls.crt --tls-key-file /tls/tls.key" +
			" --tls-auth-clients no --protected-mode no --save '' --dir /tmp"),
	}
}

func mosquitto(annotations map[string]string) server {
	return server{
		port: 8883, annotations: annotations,
		config: "listener 8883\nallow_anonymous true\ncertfile /tls/tls.crt\nkeyfile /tls/tls.key\n",
		change: shell("/usr/sbin/mosquitto -c /etc/server/config"),
	}
}

// mariadb begins with an empty folder and without users. A handshake that is broken off is an error of the host that
// dialled, and too many have it blocked: tests and the kubelet's probes make many. The agent makes none that count, since
// the loopback is not kept account of (https://dev.mysql.com/doc/refman/8.4/en/host-cache.html).
func mariadb(annotations map[string]string) server {
	return server{
		port: 3306, protocol: probe.MySQL, annotations: annotations,
		change: shell("/usr/sbin/mariadbd --no-defaults --datadir=/tmp --tmpdir=/tmp --socket=/tmp/socket --pid-file=/tmp/pid" +
			" --skip-grant-tables --skip-name-resolve --max-connect-errors=1000000000" +
			" --innodb-use-native-aio=0 --innodb-buffer-pool-size=8M --ssl-cert=/tls/tls.crt --ssl-key=/tls/tls.key"),
	}
}

// testPort answers a test in the pods of our own server.
const testPort = "8080"

// own is the server of test/agent/app, which takes its certificate from where the word says. Its init container counts
// how often it ran.
func own(from string, annotations map[string]string) server {
	return server{
		port: 8443, annotations: annotations,
		change: func(p *corev1.PodSpec) {
			count := container("count", 0)
			count.Image, count.Args = appImage, []string{"start", "/tmp/starts"}
			p.InitContainers = append(p.InitContainers, count)
			p.Containers[0].Image = appImage
			p.Containers[0].Args = []string{"serve", "--from=" + from, "--starts=/tmp/starts"}
		},
	}
}

// ownFromEnvironment is given its certificate in environment variables, and has no volume with it.
func ownFromEnvironment(annotations map[string]string) server {
	s := own("env", annotations)
	change := s.change
	s.change = func(p *corev1.PodSpec) {
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
					LocalObjectReference: corev1.LocalObjectReference{Name: secretName}, Key: key,
				}},
			})
		}
	}
	return s
}

// ownFromSubPath mounts each file by itself.
func ownFromSubPath(annotations map[string]string) server {
	s := own("once", annotations)
	change := s.change
	s.change = func(p *corev1.PodSpec) {
		change(p)
		c := &p.Containers[0]
		c.VolumeMounts = c.VolumeMounts[1:]
		for _, key := range []string{"tls.crt", "tls.key"} {
			c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "tls", MountPath: "/tls/" + key, SubPath: key, ReadOnly: true})
		}
	}
	return s
}
