package reload_test

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/pkg/reload"
	"github.com/certwire/certwire/pkg/reload/spec"
	"github.com/certwire/certwire/test/pki"
)

// way is a server that takes up a certificate in one way, and what the agent must be told of it. The server has loaded
// what is in the mount.
type way struct {
	settings settings
	// acted counts how often the server was told to reload.
	acted *atomic.Int64
}

// ways are servers by method.
var ways = map[spec.Method]func(t testing.TB, dir string) way{
	spec.Self: func(t testing.TB, dir string) way {
		t.Helper()
		server := loaded(t, dir)
		tick := time.NewTicker(5 * time.Millisecond)
		done := make(chan struct{})
		t.Cleanup(func() { close(done); tick.Stop() })
		go func() {
			for {
				select {
				case <-tick.C:
					_ = server.Load(dir)
				case <-done:
					return
				}
			}
		}()
		return way{settings{"method": "self", "verify": port(server.Addr)}, &atomic.Int64{}}
	},
	spec.HTTPMethod: func(t testing.TB, dir string) way {
		t.Helper()
		server, acted := loaded(t, dir), &atomic.Int64{}
		admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			acted.Add(1)
			if r.Method != http.MethodPost || r.URL.Path != "/-/reload" || r.Header.Get("X-Why") != "certificate" {
				http.Error(w, "what?", http.StatusBadRequest)
			} else if err := server.Load(dir); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		}))
		t.Cleanup(admin.Close)
		return way{settings{"http": admin.URL + "/-/reload header=X-Why:certificate", "verify": port(server.Addr)}, acted}
	},
	spec.SocketMethod: func(t testing.TB, dir string) way {
		t.Helper()
		server, acted := loaded(t, dir), &atomic.Int64{}
		path := unixServer(t, func(line string) string {
			acted.Add(1)
			if err := server.Load(dir); err != nil || line != "reload" {
				return "error\n"
			}
			return "done\n"
		})
		return way{settings{"socket": "unix:" + path + "\n> reload\n< ^done", "verify": port(server.Addr)}, acted}
	},
	spec.SignalMethod: func(t testing.TB, dir string) way {
		t.Helper()
		name, address, _ := child(t, "serve", dir)
		return way{settings{"method": "signal", "signal": "HUP", "process": name, "verify": port(address)}, &atomic.Int64{}}
	},
}

func loaded(t testing.TB, dir string) *pki.Server {
	t.Helper()
	server := pki.NewServer(t, pki.Pair{})
	must(t, server.Load(dir))
	return server
}

// unixServer answers lines.
func unixServer(t testing.TB, answer func(line string) string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				lines := bufio.NewScanner(conn)
				for lines.Scan() {
					_, _ = io.WriteString(conn, answer(lines.Text()))
				}
			}()
		}
	}()
	return path
}

func TestEachMethodBringsTheNewLeafToTheWire(t *testing.T) {
	t.Parallel()
	for method, build := range ways {
		for kind, extra := range map[string]settings{
			"by notice":         {"poll": "1h"},
			"by polling alone":  {"pollOnly": true},
			"without a memory":  {},
			"with the key away": {"certificates": nil},
		} {
			t.Run(string(method)+" "+kind, func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				first, second, third := r.leaf(3*time.Hour), r.leaf(2*time.Hour), r.leaf(time.Hour)
				r.mount.Write(t, first.Files())
				w := build(t, r.mount.Dir)
				all := maps.Clone(w.settings)
				maps.Copy(all, extra)
				if kind != "without a memory" {
					all["state"] = t.TempDir()
				}
				if kind == "with the key away" {
					all["certificates"] = []any{settings{"name": "app-tls", "root": r.mount.Dir, "key": "away"}}
				}
				r.start(all)
				r.state(reload.Watching, first)
				for _, next := range []pki.Pair{second, third} {
					r.mount.Write(t, next.Files())
					s := r.state(reload.Served, next)
					if len(s.Endpoints) != 1 || s.Endpoints[0].Match != probe.Current || s.LastServed.IsZero() {
						t.Errorf("got %+v", s)
					}
				}
				if n := r.engine.Status().Counts[reload.Count{Method: method, Outcome: reload.OutcomeServed}]; n != 2 {
					t.Errorf("%d served, not 2: %s", n, r.describe())
				}
				r.stop()
			})
		}
	}
}

func TestNothingIsDoneOnFirstSight(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	leaf := r.leaf(time.Hour)
	r.mount.Write(t, leaf.Files())
	w := ways[spec.HTTPMethod](t, r.mount.Dir)
	r.start(w.settings)
	r.state(reload.Watching, leaf)
	r.looks()
	// What is not a certificate file changes as it likes.
	noise := leaf.Files()
	noise["keystore.p12"], noise["token"] = []byte("random"), []byte("random")
	r.mount.Write(t, noise)
	r.looks()
	r.state(reload.Watching, leaf)
	if n := w.acted.Load(); n != 0 {
		t.Errorf("the server was told %d times: %s", n, r.describe())
	}
	// A change of the CA alone is one, though the leaf is the same.
	other := leaf.Files()
	other["ca.crt"] = pki.NewAuthority(t).Leaf(t, names).CertPEM()
	r.mount.Write(t, other)
	r.state(reload.Served, leaf)
	if n := w.acted.Load(); n != 1 {
		t.Errorf("the server was told %d times: %s", n, r.describe())
	}
}

func TestASecretThatComesLater(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start(settings{"method": "self"})
	r.state(reload.Waiting, pki.Pair{})
	first, second := r.leaf(2*time.Hour), r.leaf(time.Hour)
	r.mount.Write(t, first.Files())
	r.state(reload.Watching, first)
	r.mount.Write(t, second.Files())
	r.state(reload.Unverified, second)
}

func TestAVolumeThatCannotBeTakenUp(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		spoil func(files map[string][]byte)
		want  reload.State
	}{
		"a certificate that is half written": {func(f map[string][]byte) { f["tls.crt"] = f["tls.crt"][:300] }, reload.Invalid},
		"an empty certificate":               {func(f map[string][]byte) { f["tls.crt"] = nil }, reload.Invalid},
		"a key that is half written":         {func(f map[string][]byte) { f["tls.key"] = f["tls.key"][:50] }, reload.KeyMismatch},
		"a key that does not fit": {func(f map[string][]byte) {
			f["tls.key"] = pki.SelfSigned(t, names).KeyPEM()
		}, reload.KeyMismatch},
		"a certificate that is gone":      {func(f map[string][]byte) { delete(f, "tls.crt") }, reload.Waiting},
		"a certificate that is too large": {func(f map[string][]byte) { f["tls.crt"] = make([]byte, 2<<20) }, reload.Unreadable},
		"cert-manager's temporary certificate": {func(f map[string][]byte) {
			temporary := pki.SelfSigned(t, names, pki.CommonName("cert-manager.local"))
			maps.Copy(f, temporary.Files())
		}, reload.Temporary},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			first, second := r.leaf(2*time.Hour), r.leaf(time.Hour)
			r.mount.Write(t, first.Files())
			w := ways[spec.HTTPMethod](t, r.mount.Dir)
			r.start(w.settings)
			r.state(reload.Watching, first)
			spoiled := second.Files()
			c.spoil(spoiled)
			r.mount.Write(t, spoiled)
			r.state(c.want, pki.Pair{})
			r.looks()
			if n := w.acted.Load(); n != 0 {
				t.Errorf("the server was told %d times", n)
			}
			if n := r.logs.count("certificate cannot be taken up"); n != 1 {
				t.Errorf("it was said %d times: %s", n, r.logs)
			}
			r.mount.Write(t, second.Files())
			r.state(reload.Served, second)
		})
	}
}

func TestFilesThatAreWrittenInPlaceAreTakenUpWhenTheyAreWhole(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first, second := r.leaf(2*time.Hour), r.leaf(time.Hour)
	write := func(name string, content []byte) {
		t.Helper()
		must(t, os.WriteFile(filepath.Join(r.mount.Dir, name), content, 0o644))
	}
	write("tls.crt", first.CertPEM())
	write("tls.key", first.KeyPEM())
	w := ways[spec.HTTPMethod](t, r.mount.Dir)
	r.start(w.settings)
	r.state(reload.Watching, first)
	write("tls.crt", second.CertPEM()[:300])
	r.state(reload.Invalid, pki.Pair{})
	write("tls.crt", second.CertPEM())
	r.state(reload.KeyMismatch, pki.Pair{})
	write("tls.key", second.KeyPEM()[:100])
	r.looks()
	if n := w.acted.Load(); n != 0 {
		t.Errorf("the server was told %d times", n)
	}
	write("tls.key", second.KeyPEM())
	r.state(reload.Served, second)
}

func TestAnUnreadableKeyDoesNotStopIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first, second := r.leaf(2*time.Hour), r.leaf(time.Hour)
	// Root may read anything but a directory.
	must(t, os.Mkdir(filepath.Join(r.mount.Dir, "tls.key"), 0o700))
	withoutKey := func(p pki.Pair) map[string][]byte {
		files := p.Files()
		delete(files, "tls.key")
		return files
	}
	r.mount.Write(t, withoutKey(first))
	r.start(settings{"method": "self"})
	r.state(reload.Watching, first)
	r.mount.Write(t, withoutKey(second))
	r.state(reload.Unverified, second)
}

func TestItCatchesUp(t *testing.T) {
	t.Parallel()
	for sentence, memory := range map[string]string{"by its memory": "state", "by the wire": ""} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			first, second := r.leaf(2*time.Hour), r.leaf(time.Hour)
			r.mount.Write(t, first.Files())
			w := ways[spec.HTTPMethod](t, r.mount.Dir)
			all := maps.Clone(w.settings)
			if memory != "" {
				all[memory] = t.TempDir()
			}
			r.start(all)
			r.state(reload.Watching, first)
			r.stop()
			r.mount.Write(t, second.Files())
			all["startDeadline"] = "1m"
			r.start(all)
			r.state(reload.Served, second)
			r.stop()
			r.start(all)
			r.state(reload.Watching, second)
			r.looks()
			if n := w.acted.Load(); n != 1 {
				t.Errorf("the server was told %d times: %s", n, r.logs)
			}
		})
	}
	t.Run("and sees that there is nothing to catch up with", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		first, second := r.leaf(2*time.Hour), r.leaf(time.Hour)
		r.mount.Write(t, first.Files())
		server := loaded(t, r.mount.Dir)
		all := settings{"http": ":1/", "verify": port(server.Addr), "state": t.TempDir(), "startDeadline": "1m"}
		r.start(all)
		r.state(reload.Watching, first)
		r.stop()
		r.mount.Write(t, second.Files())
		must(t, server.Load(r.mount.Dir)) // the server was restarted too
		r.start(all)
		r.state(reload.Served, second)
	})
	t.Run("after the server has come up", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		first, second := r.leaf(2*time.Hour), r.leaf(time.Hour)
		r.mount.Write(t, first.Files())
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		address := l.Addr().String()
		must(t, l.Close())
		all := settings{"http": ":1/", "verify": port(address), "state": t.TempDir(), "startDeadline": "1m"}
		r.start(all)
		r.state(reload.Watching, first)
		r.stop()
		r.mount.Write(t, second.Files())
		r.start(all)
		r.state(reload.Pending, second)
		r.looks()
		pki.NewServerAt(t, address, second)
		r.state(reload.Served, second)
	})
}

func TestAMethodThatFails(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	for sentence, c := range map[string]struct {
		settings func(t testing.TB, server *pki.Server) settings
		want     reload.State
		words    []string
	}{
		"a server that refuses": {func(t testing.TB, _ *pki.Server) settings {
			t.Helper()
			return settings{"http": httpServer(t, func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, "bad configuration in line 7", http.StatusInternalServerError)
			})}
		}, reload.Failed, []string{"http: POST", "answered 500", "bad configuration in line 7"}},
		"a server that redirects": {func(t testing.TB, _ *pki.Server) settings {
			t.Helper()
			return settings{"http": httpServer(t, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
			})}
		}, reload.Failed, []string{"answered 302"}},
		"a server that hangs": {func(t testing.TB, _ *pki.Server) settings {
			t.Helper()
			return settings{"timeout": "20ms", "http": httpServer(t, func(_ http.ResponseWriter, r *http.Request) {
				select {
				case <-r.Context().Done():
				case <-release:
				}
			})}
		}, reload.Failed, []string{"http: Post", "deadline exceeded"}},
		"a server that is not there": {func(testing.TB, *pki.Server) settings {
			return settings{"http": ":1/reload"}
		}, reload.Failed, []string{"connection refused"}},
		"a socket that answers otherwise": {func(t testing.TB, _ *pki.Server) settings {
			t.Helper()
			path := unixServer(t, func(string) string { return "unknown command\n" })
			return settings{"timeout": "20ms", "socket": "unix:" + path + "\n> reload secret\n< Success"}
		}, reload.Failed, []string{`socket: step 1 (reload): answered "unknown command", not "Success"`}},
		"a socket that is not there": {func(testing.TB, *pki.Server) settings {
			return settings{"socket": "unix:/no/such/socket\n> reload"}
		}, reload.Failed, []string{"no such file"}},
		"a process that is not there": {func(testing.TB, *pki.Server) settings {
			return settings{"method": "signal", "signal": "HUP", "process": "no-such-process"}
		}, reload.Failed, []string{"no process is named no-such-process"}},
		"a process that ignores the signal": {func(t testing.TB, _ *pki.Server) settings {
			t.Helper()
			name, _, _ := child(t, "ignore", "")
			return settings{"method": "signal", "signal": "HUP", "process": name}
		}, reload.Failed, []string{"SIGHUP is not sent", "ignores this signal"}},
		"a server that does nothing": {func(t testing.TB, server *pki.Server) settings {
			t.Helper()
			return settings{"verifyDeadline": "20ms", "verify": port(server.Addr), "http": httpServer(t, func(http.ResponseWriter, *http.Request) {})}
		}, reload.Stale, []string{"http: not served within 20ms: port", "is previous"}},
		"a server that is gone afterwards": {func(t testing.TB, server *pki.Server) settings {
			t.Helper()
			return settings{"verifyDeadline": "20ms", "verify": port(server.Addr), "http": httpServer(t, func(http.ResponseWriter, *http.Request) {
				server.Close()
			})}
		}, reload.Stale, []string{"is refused"}},
		"a server that falls back to its own certificate": {func(t testing.TB, server *pki.Server) settings {
			t.Helper()
			return settings{"verifyDeadline": "20ms", "verify": port(server.Addr), "http": httpServer(t, func(http.ResponseWriter, *http.Request) {
				server.Use(pki.SelfSigned(t, []string{"ingress.local"}))
			})}
		}, reload.Stale, []string{"is default"}},
		"two methods that fail": {func(t testing.TB, server *pki.Server) settings {
			t.Helper()
			return settings{
				"verifyDeadline": "20ms", "verify": port(server.Addr), "method": "socket,http,rollout",
				"socket": "unix:/no/such/socket\n> reload", "http": httpServer(t, func(http.ResponseWriter, *http.Request) {}),
			}
		}, reload.Stale, []string{"socket: ", "; http: not served", "; rollout: method rollout is not carried out inside the pod"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			first, second := r.leaf(2*time.Hour), r.leaf(time.Hour)
			r.mount.Write(t, first.Files())
			server := loaded(t, r.mount.Dir)
			all := c.settings(t, server)
			all["retry"] = "1ms" // it is tried again and again, and said once
			r.start(all)
			r.state(reload.Watching, first)
			r.mount.Write(t, second.Files())
			s := r.state(c.want, second)
			for _, words := range c.words {
				if !strings.Contains(s.Certificates[0].Cause, words) {
					t.Errorf("%q does not say %q", s.Certificates[0].Cause, words)
				}
			}
			eventually(t, r.describe, func() bool {
				total := 0
				for k, n := range r.engine.Status().Counts {
					if k.Outcome == reload.OutcomeFailed || k.Outcome == reload.OutcomeStale {
						total += n
					}
				}
				return total >= 3
			})
			if strings.Contains(r.logs.String(), "secret") {
				t.Error("an argument of a command is in the log")
			}
		})
	}
}

func httpServer(t testing.TB, f http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s.URL + "/reload"
}

func TestAFailureIsSaidOnceAndMendsItself(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first, second := r.leaf(2*time.Hour), r.leaf(time.Hour)
	r.mount.Write(t, first.Files())
	server := loaded(t, r.mount.Dir)
	var broken atomic.Bool
	broken.Store(true)
	r.start(settings{"retry": "1ms", "verify": port(server.Addr), "http": httpServer(t, func(w http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_ = server.Load(r.mount.Dir)
	})})
	r.state(reload.Watching, first)
	r.mount.Write(t, second.Files())
	failed := reload.Count{Method: spec.HTTPMethod, Outcome: reload.OutcomeFailed}
	eventually(t, r.describe, func() bool { return r.engine.Status().Counts[failed] >= 3 })
	if a, b := r.logs.count("certificate is not taken up"), r.logs.count("method http failed"); a != 1 || b != 1 {
		t.Errorf("it was said %d and %d times: %s", a, b, r.logs)
	}
	broken.Store(false)
	r.state(reload.Served, second)
}

func TestAServerThatWasSeenToServeIsNotTakenForOneThatStarts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first, second := r.leaf(2*time.Hour), r.leaf(time.Hour)
	r.mount.Write(t, first.Files())
	server := loaded(t, r.mount.Dir)
	r.start(settings{"startDeadline": "1h", "verify": port(server.Addr), "http": httpServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
	})})
	eventually(t, r.describe, func() bool { return r.logs.count("endpoints are known") == 1 })
	r.mount.Write(t, second.Files())
	r.state(reload.Failed, second)
}

func TestAProcessThatDoesNotCatchTheSignalYetIsSignalledOnceItDoes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first, second := r.leaf(2*time.Hour), r.leaf(time.Hour)
	r.mount.Write(t, first.Files())
	name, _, cmd := child(t, "late", r.mount.Dir)
	r.start(settings{"method": "signal", "signal": "HUP", "process": name, "attempts": 20, "backoff": "50ms"})
	r.state(reload.Watching, first)
	r.mount.Write(t, second.Files())
	eventually(t, r.describe, func() bool { return r.logs.count("method is tried again") == 1 })
	must(t, cmd.Process.Signal(syscall.SIGUSR1))
	r.state(reload.Unverified, second)
}

func TestAMethodThatFailsGivesWayToTheNext(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first, second := r.leaf(2*time.Hour), r.leaf(time.Hour)
	r.mount.Write(t, first.Files())
	w := ways[spec.HTTPMethod](t, r.mount.Dir)
	all := maps.Clone(w.settings)
	all["method"], all["socket"] = "socket,http", "unix:/no/such/socket\n> reload"
	r.start(all)
	r.state(reload.Watching, first)
	r.mount.Write(t, second.Files())
	s := r.state(reload.Served, second)
	if s.Counts[reload.Count{Method: spec.SocketMethod, Outcome: reload.OutcomeFailed}] != 1 ||
		s.Counts[reload.Count{Method: spec.HTTPMethod, Outcome: reload.OutcomeServed}] != 1 {
		t.Errorf("got %v", s.Counts)
	}
}

func TestChangesDuringAReloadAreTakenUpByTheNextOne(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.leaf(10 * time.Hour)
	r.mount.Write(t, first.Files())
	server := loaded(t, r.mount.Dir)
	var acted atomic.Int64
	entered, leave := make(chan struct{}, 10), make(chan struct{})
	r.start(settings{"verify": port(server.Addr), "http": httpServer(t, func(http.ResponseWriter, *http.Request) {
		acted.Add(1)
		_ = server.Load(r.mount.Dir)
		entered <- struct{}{}
		<-leave
	})})
	r.state(reload.Watching, first)
	r.mount.Write(t, r.leaf(9*time.Hour).Files())
	<-entered
	var last pki.Pair
	for i := range 5 {
		last = r.leaf(time.Duration(8-i) * time.Hour)
		r.mount.Write(t, last.Files())
	}
	close(leave)
	r.state(reload.Served, last)
	if n := acted.Load(); n != 2 {
		t.Errorf("the server was told %d times: %s", n, r.describe())
	}
}

func TestPortsThatNobodyDeclared(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first, second := r.leaf(2*time.Hour), r.leaf(time.Hour)
	r.mount.Write(t, first.Files())
	w := ways[spec.HTTPMethod](t, r.mount.Dir)
	var ours int
	_, _ = fmt.Sscan(w.settings["verify"].(string), &ours)
	var plain int
	_, _ = fmt.Sscan(port(strings.TrimSuffix(strings.TrimPrefix(httpServer(t, http.NotFound), "http://"), "/reload")), &plain)
	var foreign int
	_, _ = fmt.Sscan(port(pki.NewServer(t, r.ca.Leaf(t, []string{"other.example.org"})).Addr), &foreign)
	r.start(settings{"http": w.settings["http"], "ports": []int{plain, foreign, ours, 1}})
	eventually(t, r.describe, func() bool { return len(r.engine.Status().Endpoints) == 1 })
	r.mount.Write(t, second.Files())
	s := r.state(reload.Served, second)
	if len(s.Endpoints) != 1 || s.Endpoints[0].Endpoint != fmt.Sprint(ours) {
		t.Errorf("got %+v", s.Endpoints)
	}
}

func TestTwoCertificatesAreOneReload(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	other := pki.NewMount(t)
	api := []string{"api.example.com"}
	leaf := func(names []string, age time.Duration) pki.Pair {
		return r.ca.Leaf(t, names, pki.From(time.Now().Add(-age)))
	}
	r.mount.Write(t, leaf(names, 2*time.Hour).Files())
	other.Write(t, leaf(api, 2*time.Hour).Files())
	one, two := loaded(t, r.mount.Dir), loaded(t, other.Dir)
	var acted atomic.Int64
	r.start(settings{
		"certificates": []any{settings{"name": "one", "root": r.mount.Dir}, settings{"name": "two", "root": other.Dir}},
		"debounce":     "200ms", "poll": "1h", "verify": port(one.Addr) + "," + port(two.Addr) + "=api.example.com",
		"http": httpServer(t, func(http.ResponseWriter, *http.Request) {
			acted.Add(1)
			_, _ = one.Load(r.mount.Dir), two.Load(other.Dir)
		}),
	})
	both := func(want reload.State) {
		t.Helper()
		eventually(t, r.describe, func() bool {
			s := r.engine.Status().Certificates
			return len(s) == 2 && s[0].State == want && s[1].State == want
		})
	}
	both(reload.Watching)
	r.mount.Write(t, leaf(names, time.Hour).Files())
	other.Write(t, leaf(api, time.Hour).Files())
	both(reload.Served)
	if n := acted.Load(); n > 2 { // one, unless the machine is so slow that the writes are 200 ms apart
		t.Errorf("the server was told %d times", n)
	}
}
