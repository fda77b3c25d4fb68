package spec

import "time"

// Presets returns the known servers in the order of their names. Each says where its recipe comes from. A server that
// can be told in place only with credentials, or with paths that are the user's own, begins with what needs neither.
func Presets() []Preset {
	return []Preset{
		// The admin API loads a configuration again only if it is asked to with Cache-Control: must-revalidate, and wants
		// it in the body; certificate files that a configuration names are read then. So the preset asks the API for
		// nothing by itself. https://caddyserver.com/docs/api#post-load
		{
			Name: "caddy", Methods: []Method{Restart}, Verify: ports(443),
			Needs: "in place: certwire.dev/http=\"POST :2019/load header=Content-Type:application/json " +
				"header=Cache-Control:must-revalidate body=FILE\" with the configuration mounted into the agent",
		},
		// A secret that comes from a file is watched if its path_config_source has a watched_directory, which is to be the
		// mount. https://www.envoyproxy.io/docs/envoy/latest/configuration/security/secret#key-rotation
		{
			Name: "envoy", Methods: []Method{Self}, Verify: ports(443),
			Needs: "file-based SDS with watched_directory on the mount; a certificate in the listener itself needs method restart",
		},
		// certs_watch_interval in section [server] makes it look at its files, and is off by default; nothing else does.
		// https://grafana.com/docs/grafana/latest/setup-grafana/configure-grafana/#certs_watch_interval
		{
			Name: "grafana", Methods: []Method{Self, Restart}, Verify: ports(3000), Patience: 2 * time.Minute,
			Needs: "certs_watch_interval in section [server] of its configuration, at most one minute; without it, restart",
		},
		// set ssl cert begins a transaction with a PEM of certificate and key, commit ssl cert ends it; the socket needs
		// level admin, and the file's path is the one in the configuration, so the preset cannot know it.
		// Management guide 9.3, https://docs.haproxy.org/dev/management.html#9.3-set%20ssl%20cert
		//
		// SIGUSR2 to the master of a master-worker process (-W, as in the official image's -W -db) starts new workers and
		// lets the old ones finish (section 4 there). The master is the topmost haproxy; a worker, and a haproxy without
		// a master, does not catch the signal, and gets none.
		{
			Name: "haproxy", Methods: []Method{SignalMethod, Restart}, Signal: USR2, Process: "haproxy", Verify: ports(443),
			Needs: "a master (-W) and a shared process namespace; or certwire.dev/socket with set ssl cert and commit ssl cert",
		},
		// ALTER INSTANCE RELOAD TLS needs a connection with a user who may (CONNECTION_ADMIN); SIGHUP flushes tables and
		// logs, but does not read certificates. https://dev.mysql.com/doc/refman/8.4/en/alter-instance.html
		// MariaDB has FLUSH SSL, which needs RELOAD, and does nothing for certificates at SIGHUP either (tried with 10.11).
		// https://mariadb.com/kb/en/flush/
		{
			Name: "mariadb", Methods: []Method{Restart}, Verify: starting(3306, "mysql"),
			Needs: "in place, FLUSH SSL needs an SQL connection, which the agent does not have",
		},
		// rotateCertificates (5.0 and later) needs a connection with a user who may; no signal does it.
		// https://www.mongodb.com/docs/manual/reference/command/rotateCertificates/
		{
			Name: "mongodb", Methods: []Method{Restart}, Verify: ports(27017),
			Needs: "in place, rotateCertificates needs a connection with credentials, which the agent does not have",
		},
		// From 2.0, SIGHUP makes the listeners load their certificates anew.
		// https://mosquitto.org/blog/2015/12/using-lets-encrypt-certificates-with-mosquitto
		{
			Name: "mosquitto", Methods: []Method{SignalMethod, Restart}, Signal: HUP, Process: "mosquitto", Verify: ports(8883),
			Needs: "mosquitto 2.0 or later and a shared process namespace",
		},
		{
			Name: "mysql", Methods: []Method{Restart}, Verify: starting(3306, "mysql"), // see mariadb
			Needs: "in place, ALTER INSTANCE RELOAD TLS needs an SQL connection, which the agent does not have",
		},
		// SIGHUP to the master: new workers with the new configuration, old ones finish.
		// https://nginx.org/en/docs/control.html
		{
			Name: "nginx", Methods: []Method{SignalMethod, Restart}, Signal: HUP, Process: "nginx", Verify: ports(443),
			Needs: "a shared process namespace",
		},
		// From 10, SIGHUP to the postmaster reads ssl_cert_file and ssl_key_file anew; old sessions keep theirs.
		// https://www.postgresql.org/docs/current/ssl-tcp.html#SSL-SERVER-FILES
		{
			Name: "postgres", Methods: []Method{SignalMethod, Restart}, Signal: HUP, Process: "postgres",
			Verify: starting(5432, "postgres"), Needs: "PostgreSQL 10 or later and a shared process namespace",
		},
		// The web configuration, its certificate and its key are read at each new connection.
		// https://prometheus.io/docs/prometheus/latest/configuration/https/
		{Name: "prometheus", Methods: []Method{Self}, Verify: ports(9090)},
		// Erlang reads PEM files anew when its cache drops them, which it looks after every two minutes by default
		// (ssl_pem_cache_clean, https://www.erlang.org/doc/apps/ssl/ssl_app.html); with RabbitMQ 3.10 it took up to 1m59s.
		// https://www.rabbitmq.com/docs/ssl#rotation
		{Name: "rabbitmq", Methods: []Method{Self, Restart}, Verify: ports(5671), Patience: 5 * time.Minute},
		// CONFIG SET with the path that is set already loads the file again (6.2 and later); it needs the server's
		// password where there is one, and the path is the user's own.
		// https://redis.io/docs/latest/operate/oss_and_stack/management/security/encryption/
		{
			Name: "redis", Methods: []Method{Restart}, Verify: ports(6379),
			Needs: "in place: certwire.dev/socket with CONFIG SET tls-cert-file FILE tls-key-file FILE, and AUTH {file:PATH} where it has a password",
		},
		// The file provider watches its own files but not the certificates that they name.
		// https://github.com/traefik/traefik/issues/5495, and a change that would, not merged by July 2026:
		// https://github.com/traefik/traefik/pull/13463
		{
			Name: "traefik", Methods: []Method{Restart}, Verify: ports(443),
			Needs: "in place it reloads only when its dynamic configuration changes, which the agent does not write",
		},
		// SIGHUP makes the listener read tls_cert_file and tls_key_file anew, at the paths known from the start.
		// https://developer.hashicorp.com/vault/docs/configuration/listener/tcp#tls_cert_file, and vault 1.21.4 itself: on the
		// signal command/server.go runs the listeners' reload functions, which are those of internalshared/listenerutil.
		{
			Name: "vault", Methods: []Method{SignalMethod}, Signal: HUP, Process: "vault", Verify: ports(8200),
			Needs: "a shared process namespace; there is no fallback to restart, since a vault may come back sealed",
		},
	}
}

func ports(numbers ...uint16) []Endpoint {
	var endpoints []Endpoint
	for _, n := range numbers {
		endpoints = append(endpoints, Endpoint{Port: n})
	}
	return endpoints
}

func starting(port uint16, protocol string) []Endpoint {
	return []Endpoint{{Port: port, StartTLS: protocol}}
}
