package pods

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/certwire/certwire/pkg/probe"
)

// NginxConfig is what nginx runs with. It serves it at /config, and at /slow slowly.
const NginxConfig = `
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

// Nginx is nginx, with its master as the first process.
func Nginx(annotations map[string]string) Server {
	return Server{
		Port: 8443, Annotations: annotations, Config: NginxConfig,
		Change: shell("/usr/sbin/nginx -e stderr -c /etc/server/config"),
	}
}

// HAProxySocket is the annotation certwire.dev/socket that has an agent use HAProxy's runtime API.
const HAProxySocket = `tcp:127.0.0.1:9999 each
> set ssl cert /tls/site.pem <<
> {pem}
>
< Transaction (created|updated)
> commit ssl cert /tls/site.pem
< Success!`

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

// HAProxy wants the key next to the certificate, under its name with .key behind it: the volume names them so. Not
// tls.crt: its runtime API takes such an ending for a word of its own (HAProxy 2.6, src/ssl_ckch.c, cert_exts), and says
// that the configuration does not know the file.
func HAProxy(annotations map[string]string) Server {
	return Server{
		Port: 8443, Annotations: annotations, Config: haproxyConfig,
		Change: func(p *corev1.PodSpec) {
			shell("/usr/sbin/haproxy -W -db -f /etc/server/config")(p)
			p.Volumes[0].Secret.Items = []corev1.KeyToPath{
				{Key: "tls.crt", Path: "site.pem"}, {Key: "tls.key", Path: "site.pem.key"},
			}
		},
	}
}

// Postgres makes its database first, in an init container that may run again.
func Postgres(annotations map[string]string) Server {
	return Server{
		Port: 5432, Protocol: probe.Postgres, Annotations: annotations,
		Change: func(p *corev1.PodSpec) {
			first := container("database", 0)
			first.Command = []string{"/bin/sh", "-c",
				"[ -d /tmp/data ] || exec /usr/lib/postgresql/*/bin/initdb -D /tmp/data -U postgres -A trust --no-sync"}
			p.InitContainers = append(p.InitContainers, first)
			shell("/usr/lib/postgresql/*/bin/postgres -D /tmp/data -c listen_addresses='*' -c unix_socket_directories=/tmp -c fsync=off" +
				" -c ssl=on -c ssl_cert_file=/tls/tls.crt -c ssl_key_file=/tls/tls.key")(p)
		},
	}
}

// RedisSocket is the annotation certwire.dev/socket that has an agent use Redis' own port.
const RedisSocket = `tls:127.0.0.1:6379
> CONFIG SET tls-cert-file /tls/tls.crt tls-key-file /tls/tls.key
< ^\+OK`

// Redis serves TLS alone, and asks for no client certificate.
func Redis(annotations map[string]string) Server {
	return Server{
		Port: 6379, Annotations: annotations,
		Change: shell("/usr/bin/redis-server --port 0 --tls-port 6379 --tls-cert-file /tls/tls.crt --tls-key-file /tls/tls.key" +
			" --tls-auth-clients no --protected-mode no --save '' --dir /tmp"),
	}
}

// Mosquitto lets anybody in.
func Mosquitto(annotations map[string]string) Server {
	return Server{
		Port: 8883, Annotations: annotations,
		Config: "listener 8883\nallow_anonymous true\ncertfile /tls/tls.crt\nkeyfile /tls/tls.key\n",
		Change: shell("/usr/sbin/mosquitto -c /etc/server/config"),
	}
}

// MariaDB begins with an empty folder and without users. A handshake that is broken off is an error of the host that
// dialled, and too many have it blocked: tests and the kubelet's probes make many. The agent makes none that count, since
// the loopback is not kept account of (https://dev.mysql.com/doc/refman/8.4/en/host-cache.html).
func MariaDB(annotations map[string]string) Server {
	return Server{
		Port: 3306, Protocol: probe.MySQL, Annotations: annotations,
		Change: shell("/usr/sbin/mariadbd --no-defaults --datadir=/tmp --tmpdir=/tmp --socket=/tmp/socket --pid-file=/tmp/pid" +
			" --skip-grant-tables --skip-name-resolve --max-connect-errors=1000000000" +
			" --innodb-use-native-aio=0 --innodb-buffer-pool-size=8M --ssl-cert=/tls/tls.crt --ssl-key=/tls/tls.key"),
	}
}
