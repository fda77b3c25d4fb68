package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certwire/certwire/pkg/reload"
	"github.com/certwire/certwire/test/pki"
)

// output collects log lines.
type output struct {
	lock  sync.Mutex
	bytes bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.lock.Lock()
	defer o.lock.Unlock()
	return o.bytes.Write(b)
}

func (o *output) String() string {
	o.lock.Lock()
	defer o.lock.Unlock()
	return o.bytes.String()
}

// start runs the command with an environment, and returns its output and what ends it and gives its exit code.
func start(t *testing.T, env map[string]string) (log *output, end func() int, code chan int) {
	t.Helper()
	log, code = &output{}, make(chan int, 1)
	ctx, cancel := context.WithCancel(context.Background())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		code <- run(ctx, func(name string) string { return env[name] }, log)
	}()
	t.Cleanup(func() { cancel(); <-gone })
	return log, func() int { cancel(); return <-code }, code
}

func eventually(t *testing.T, log *output, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("it did not happen: %s", log)
		}
	}
}

func config(t *testing.T, root string, extra map[string]any) string {
	t.Helper()
	all := map[string]any{"certificates": []any{map[string]any{"name": "app-tls", "root": root}}, "method": "self", "poll": "20ms", "debounce": "2ms"}
	maps.Copy(all, extra)
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestAnAgentThatCannotWorkWaitsForItsEnd(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"without a configuration":         {nil, "neither CERTWIRE_AGENT nor CERTWIRE_AGENT_FILE is set"},
		"with one that is no JSON":        {map[string]string{"CERTWIRE_AGENT": "x"}, "reading the configuration: invalid character"},
		"with an unknown field":           {map[string]string{"CERTWIRE_AGENT": `{"a":1}`}, `unknown field \"a\"`},
		"with a method that is none":      {map[string]string{"CERTWIRE_AGENT": `{"certificates":[{"name":"a","root":"/a"}],"method":"x"}`}, "is not a method, which is one of self"},
		"with a file that is not there":   {map[string]string{"CERTWIRE_AGENT_FILE": "/no/such/file"}, "no such file"},
		"with a volume that is not there": {map[string]string{"CERTWIRE_AGENT": config(t, "/no/such/dir", nil)}, "certificate cannot be taken up"},
		"with an address that is none": {map[string]string{"CERTWIRE_AGENT": config(t, "/no/such/dir", nil), "CERTWIRE_AGENT_LISTEN": "9402"},
			"CERTWIRE_AGENT_LISTEN is not as in :9402"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			log, end, _ := start(t, c.env)
			eventually(t, log, func() bool { return strings.Contains(log.String(), c.want) })
			if code := end(); code != 0 {
				t.Errorf("it ends with %d", code)
			}
			if n := strings.Count(log.String(), c.want); n != 1 {
				t.Errorf("it was said %d times: %s", n, log)
			}
			for line := range strings.Lines(log.String()) {
				if !json.Valid([]byte(line)) {
					t.Errorf("%q is not JSON", line)
				}
			}
		})
	}
}

func TestAgent(t *testing.T) {
	t.Parallel()
	mount, ca := pki.NewMount(t), pki.NewAuthority(t)
	leaf := func(age time.Duration) pki.Pair {
		return ca.Leaf(t, []string{"app.example.com"}, pki.From(time.Now().Add(-age)))
	}
	mount.Write(t, leaf(2*time.Hour).Files())
	server := pki.NewServer(t, pki.Pair{})
	if err := server.Load(mount.Dir); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(server.Addr)
	admin := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { _ = server.Load(mount.Dir) }))
	t.Cleanup(admin.Close)
	file := filepath.Join(t.TempDir(), "agent.json")
	if err := os.WriteFile(file, []byte(config(t, mount.Dir, map[string]any{"method": "http", "http": admin.URL, "verify": port})), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freePort(t)
	log, end, _ := start(t, map[string]string{"CERTWIRE_AGENT_FILE": file, "CERTWIRE_AGENT_LISTEN": address})
	get := func(path string) string {
		response, err := http.Get("http://" + address + path)
		if err != nil {
			return ""
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		return fmt.Sprintf("%d %s", response.StatusCode, body)
	}
	eventually(t, log, func() bool { return strings.Contains(get("/healthz"), "200 certificate app-tls: watching, serial ") })
	next := leaf(time.Hour)
	mount.Write(t, next.Files())
	want := fmt.Sprintf("200 certificate app-tls: served, serial %x, until %s\nendpoint %s: current",
		next.Chain[0].SerialNumber, next.Chain[0].NotAfter.Format(time.RFC3339), port)
	eventually(t, log, func() bool { return strings.HasPrefix(get("/healthz"), want) })
	metrics := get("/metrics")
	for _, line := range []string{
		`certwire_agent_certificate_state{certificate="app-tls",state="served"} 1`,
		`certwire_agent_certificate_state{certificate="app-tls",state="stale"} 0`,
		`certwire_agent_reloads_total{method="http",outcome="served"} 1`,
		`certwire_agent_endpoint_match{endpoint="` + port + `",match="current",cause=""} 1`,
		`certwire_agent_notify 1`,
		"certwire_agent_certificate_not_after_timestamp_seconds{certificate=\"app-tls\"} " + fmt.Sprint(next.Chain[0].NotAfter.Unix()),
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("%s is missing in:\n%s", line, metrics)
		}
	}
	if code := end(); code != 0 {
		t.Errorf("it ends with %d", code)
	}
}

func TestAgentAsksForARestart(t *testing.T) {
	t.Parallel()
	mount, ca := pki.NewMount(t), pki.NewAuthority(t)
	mount.Write(t, ca.Leaf(t, []string{"a"}).Files())
	log, _, code := start(t, map[string]string{"CERTWIRE_AGENT": config(t, mount.Dir, map[string]any{"method": "restart", "state": t.TempDir()})})
	eventually(t, log, func() bool { return strings.Contains(log.String(), "certificate is watched") })
	mount.Write(t, ca.Leaf(t, []string{"a"}).Files())
	if c := <-code; c != 88 {
		t.Errorf("it ends with %d", c)
	}
}

func TestHealthOfAnAgentThatHangs(t *testing.T) {
	t.Parallel()
	parsed, err := reload.ParseConfig([]byte(config(t, t.TempDir(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	engine, err := reload.New(parsed, reload.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); engine.Run(ctx) }()
	eventually(t, &output{}, func() bool { return !engine.Status().Looked.IsZero() })
	cancel()
	<-done
	for age, want := range map[time.Duration]int{0: http.StatusOK, time.Hour: http.StatusInternalServerError} {
		recorder := httptest.NewRecorder()
		handler(engine, func() time.Time { return time.Now().Add(age) }).ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/healthz", nil))
		if recorder.Code != want {
			t.Errorf("after %s: %d", age, recorder.Code)
		}
	}
}

func TestMetricLabelsAreEscaped(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	metricsWriter{&b}.sample("a", 1.5, "b", "x\"y\\z\n", "c", "")
	if want := "a{b=\"x\\\"y\\\\z\\n\",c=\"\"} 1.5\n"; b.String() != want {
		t.Errorf("got %q", b.String())
	}
}
