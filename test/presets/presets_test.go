package presets

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/pkg/reload"
	"github.com/certwire/certwire/pkg/reload/spec"
	"github.com/certwire/certwire/test/pki"
)

// volume is a certificate's, and who issues it.
type volume struct {
	*pki.Mount
	ca  *pki.Authority
	age time.Duration
}

func newVolume(t *testing.T) *volume {
	t.Helper()
	return &volume{Mount: pki.NewMount(t), ca: pki.NewAuthority(t), age: 100 * time.Hour}
}

// renew writes the next certificate.
func (v *volume) renew(t *testing.T) pki.Pair {
	t.Helper()
	v.age -= time.Hour
	pair := v.ca.Leaf(t, []string{serverName}, pki.From(time.Now().Add(-v.age)))
	v.Write(t, pair.Files())
	return pair
}

func (v *volume) file(name string) string { return filepath.Join(v.Dir, name) }

// agent is one with its defaults.
type agent struct {
	engine *reload.Engine
	log    *output
	done   chan bool
}

func startAgent(t *testing.T, v *volume, server *running, state string, values spec.Values) *agent {
	t.Helper()
	text, err := json.Marshal(reload.Config{
		Certificates: []reload.Certificate{{Name: "app-tls", Root: v.Dir}}, Values: values, State: state, Grace: 1,
	})
	must(t, err)
	config, err := reload.ParseConfig(text)
	must(t, err)
	a := &agent{log: &output{}, done: make(chan bool, 1)}
	a.engine, err = reload.New(config, reload.Options{Logger: slog.New(slog.NewJSONHandler(a.log, nil)), Proc: server.proc(t)})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	gone := make(chan struct{})
	go func() { defer close(gone); a.done <- a.engine.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-gone })
	return a
}

// reaches waits for a state of the certificate.
func (a *agent) reaches(t *testing.T, state reload.State, leaf pki.Pair, server *running) {
	t.Helper()
	eventually(t, func() string { return fmt.Sprintf("%+v\n%s\n%s", a.engine.Status(), a.log, server.out) }, func() bool {
		c := a.engine.Status().Certificates
		return len(c) == 1 && c[0].State == state && c[0].Leaf.Fingerprint == fingerprint(leaf)
	})
}

// inPlace expects a server to take up two renewals by a method.
func inPlace(t *testing.T, v *volume, first pki.Pair, server *running, method spec.Method, values spec.Values) {
	t.Helper()
	a := startAgent(t, v, server, t.TempDir(), values)
	a.reaches(t, reload.Watching, first, server)
	for range 2 {
		next := v.renew(t)
		a.reaches(t, reload.Served, next, server)
		t.Logf("served after %s by %s", a.engine.Status().Took.Round(time.Millisecond), method)
	}
	s := a.engine.Status()
	if s.Counts[reload.Count{Method: method, Outcome: reload.OutcomeServed}] != 2 || len(s.Counts) != 1 {
		t.Errorf("got %v\n%s", s.Counts, a.log)
	}
}

// restarted expects an agent to ask for a restart, and to see the new leaf after it.
func restarted(t *testing.T, v *volume, first pki.Pair, server *running, again func() *running, values spec.Values) {
	t.Helper()
	state := t.TempDir()
	a := startAgent(t, v, server, state, values)
	a.reaches(t, reload.Watching, first, server)
	next := v.renew(t)
	select {
	case restart := <-a.done:
		if !restart {
			t.Fatalf("it ends without a restart\n%s", a.log)
		}
	case <-time.After(patience):
		t.Fatalf("it does not ask for a restart\n%s", a.log)
	}
	server.stop()
	server = again()
	a = startAgent(t, v, server, state, values)
	a.reaches(t, reload.Served, next, server)
}

func TestMosquitto(t *testing.T) {
	t.Parallel()
	binary := program(t, "mosquitto", "mosquitto")
	v, port := newVolume(t), freePort(t)
	first := v.renew(t)
	config := write(t, filepath.Join(t.TempDir(), "mosquitto.conf"), fmt.Sprintf("user %s\nlistener %s 127.0.0.1\nallow_anonymous true\ncertfile %s\nkeyfile %s",
		userName(t), port, v.file("tls.crt"), v.file("tls.key")))
	server := launch(t, binary, []string{"-c", config}, nil)
	server.serves(t, port, "", first)
	inPlace(t, v, first, server, spec.SignalMethod, spec.Values{Preset: "mosquitto", Verify: port})
}

func TestPrometheus(t *testing.T) {
	t.Parallel()
	binary := program(t, "prometheus", "prometheus")
	v, port, folder := newVolume(t), freePort(t), t.TempDir()
	first := v.renew(t)
	config := write(t, filepath.Join(folder, "prometheus.yml"), "global: {}")
	web := write(t, filepath.Join(folder, "web.yml"), fmt.Sprintf("tls_server_config:\n  cert_file: %s\n  key_file: %s", v.file("tls.crt"), v.file("tls.key")))
	server := launch(t, binary, []string{
		"--config.file=" + config, "--web.config.file=" + web, "--storage.tsdb.path=" + filepath.Join(folder, "data"), "--web.listen-address=127.0.0.1:" + port,
	}, nil)
	server.serves(t, port, "", first)
	inPlace(t, v, first, server, spec.Self, spec.Values{Preset: "prometheus", Verify: port})
}

func TestCaddy(t *testing.T) {
	t.Parallel()
	binary := program(t, "caddy", "caddy")
	v, port, admin, folder := newVolume(t), freePort(t), freePort(t), t.TempDir()
	first := v.renew(t)
	config := write(t, filepath.Join(folder, "caddy.json"), fmt.Sprintf(`{"admin": {"listen": "127.0.0.1:%s"}, "apps": {
"tls": {"certificates": {"load_files": [{"certificate": %q, "key": %q}]}},
"http": {"servers": {"a": {"listen": ["127.0.0.1:%s"], "automatic_https": {"disable": true}, "tls_connection_policies": [{}],
"routes": [{"handle": [{"handler": "static_response", "body": "hello"}]}]}}}}}`, admin, v.file("tls.crt"), v.file("tls.key"), port))
	start := func() *running {
		return launch(t, binary, []string{"run", "--config", config}, []string{"HOME=" + folder, "XDG_DATA_HOME=" + folder, "XDG_CONFIG_HOME=" + folder})
	}
	server := start()
	server.serves(t, port, "", first)
	// In place it is as the preset says: with the header, since the same configuration is no change without it.
	load := "POST :" + admin + "/load header=Content-Type:application/json body=" + config
	inPlace(t, v, first, server, spec.HTTPMethod, spec.Values{Preset: "caddy", Verify: port, HTTP: load + " header=Cache-Control:must-revalidate"})
	current := v.renew(t)
	post(t, "http://127.0.0.1:"+admin+"/load", config)
	if served := server.leaf(t, port, ""); served == fingerprint(current) {
		t.Error("it reads its files without the header, too")
	}
	server.stop()
	server = start()
	server.serves(t, port, "", current)
	restarted(t, v, current, server, start, spec.Values{Preset: "caddy", Verify: port})
}

// post sends a file, and expects it to be taken.
func post(t *testing.T, url, file string) {
	t.Helper()
	body, err := os.Open(file)
	must(t, err)
	defer body.Close()
	response, err := http.Post(url, "application/json", body)
	must(t, err)
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s answered %s", url, response.Status)
	}
}

func TestMariaDB(t *testing.T) {
	t.Parallel()
	binary, setUp, client := program(t, "mariadbd", "mariadb-server"), program(t, "mariadb-install-db", "mariadb-server"), program(t, "mariadb", "mariadb-client")
	v, port, folder := newVolume(t), freePort(t), t.TempDir()
	first := v.renew(t)
	data, socket := filepath.Join(folder, "data"), filepath.Join(folder, "s")
	if out, err := exec.CommandContext(t.Context(), setUp, "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db",
		"--user="+userName(t), "--datadir="+data).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	start := func() *running {
		return launch(t, binary, []string{
			"--no-defaults", "--user=" + userName(t), "--datadir=" + data, "--socket=" + socket, "--bind-address=127.0.0.1", "--port=" + port,
			"--ssl-cert=" + v.file("tls.crt"), "--ssl-key=" + v.file("tls.key"), "--ssl-ca=" + v.file("ca.crt"),
		}, nil)
	}
	server := start()
	server.serves(t, port, probe.MySQL, first)
	// It can be told in place, by somebody who may.
	second := v.renew(t)
	if out, err := exec.CommandContext(t.Context(), client, "--no-defaults", "--socket="+socket, "--user=root", "--execute=FLUSH SSL").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	server.serves(t, port, probe.MySQL, second)
	restarted(t, v, second, server, start, spec.Values{Preset: "mariadb", Verify: port + "+mysql"})
}

func TestRabbitMQ(t *testing.T) {
	t.Parallel()
	program(t, "rabbitmqctl", "rabbitmq-server")
	const binary = "/usr/lib/rabbitmq/bin/rabbitmq-server" // the one in PATH changes to another user
	v, port, names, folder := newVolume(t), freePort(t), freePort(t), t.TempDir()
	// Erlang's name service is a process of its own, and one that Erlang started would outlive the test.
	launch(t, program(t, "epmd", "erlang-base"), []string{"-port", names, "-address", "127.0.0.1"}, nil)
	first := v.renew(t)
	config := write(t, filepath.Join(folder, "rabbitmq.conf"), fmt.Sprintf("listeners.tcp = none\nlisteners.ssl.1 = 127.0.0.1:%s\n"+
		"ssl_options.certfile = %s\nssl_options.keyfile = %s\nssl_options.verify = verify_none", port, v.file("tls.crt"), v.file("tls.key")))
	server := launch(t, binary, nil, []string{
		"HOME=" + folder, "RABBITMQ_CONFIG_FILE=" + config, "RABBITMQ_MNESIA_BASE=" + folder, "RABBITMQ_LOG_BASE=" + folder,
		"RABBITMQ_NODENAME=certwire" + port + "@localhost", "RABBITMQ_DIST_PORT=" + freePort(t), "RABBITMQ_ENABLED_PLUGINS_FILE=" + filepath.Join(folder, "plugins"),
		"ERL_EPMD_PORT=" + names,
		// Erlang looks at its cache every two minutes by default, and the new leaf was served after up to two minutes then
		// (RabbitMQ 3.10, measured): so long is the preset patient, but not this test.
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-start_epmd false -ssl ssl_pem_cache_clean 1000",
	})
	server.serves(t, port, "", first)
	inPlace(t, v, first, server, spec.Self, spec.Values{Preset: "rabbitmq", Verify: port})
}
