package reload_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/pkg/reload"
	"github.com/certwire/certwire/pkg/reload/spec"
	"github.com/certwire/certwire/test/pki"
)

// restarting is a rig whose server reads its files once, and whose agent restarts it.
func restarting(t *testing.T, extra settings) (r *rig, server *pki.Server, all settings, first pki.Pair) {
	t.Helper()
	r = newRig(t)
	first = r.leaf(10 * time.Hour)
	r.mount.Write(t, first.Files())
	server = loaded(t, r.mount.Dir)
	all = settings{"method": "restart", "verify": port(server.Addr), "state": t.TempDir()}
	maps.Copy(all, extra)
	r.start(all)
	r.state(reload.Watching, first)
	return r, server, all, first
}

func TestRestart(t *testing.T) {
	t.Parallel()
	r, server, all, _ := restarting(t, nil)
	for _, age := range []time.Duration{5 * time.Hour, 4 * time.Hour} {
		next := r.leaf(age)
		r.mount.Write(t, next.Files())
		if !r.result() {
			t.Fatalf("no restart: %s", r.describe())
		}
		if n := r.logs.count("containers restart"); n == 0 {
			t.Error("the restart is not in the log")
		}
		must(t, server.Load(r.mount.Dir)) // the containers start again, and the agent with them
		r.start(all)
		s := r.state(reload.Served, next)
		if s.Counts[reload.Count{Method: spec.Restart, Outcome: reload.OutcomeServed}] != 1 {
			t.Errorf("got %v", s.Counts)
		}
	}
}

func TestRestartThatDoesNotHelpIsNotRepeated(t *testing.T) {
	t.Parallel()
	r, server, all, _ := restarting(t, settings{"retry": "1ms"})
	next := r.leaf(time.Hour)
	r.mount.Write(t, next.Files())
	if !r.result() {
		t.Fatal("no restart")
	}
	for range 3 { // whoever restarts the agent, and how often
		r.start(all) // the server still serves the old leaf
		s := r.state(reload.Stale, next)
		if cause := s.Certificates[0].Cause; !strings.Contains(cause, "restarted for this certificate already") {
			t.Errorf("got %q", cause)
		}
		r.looks()
		r.state(reload.Stale, next)
		r.stop()
	}
	// The next renewal has its own restart.
	next = r.leaf(time.Minute)
	r.start(all)
	r.mount.Write(t, next.Files())
	if !r.result() {
		t.Fatal("no restart")
	}
	must(t, server.Load(r.mount.Dir))
	r.start(all)
	r.state(reload.Served, next)
}

func TestRestartWithoutEndpoints(t *testing.T) {
	t.Parallel()
	r, _, all, _ := restarting(t, settings{"verify": ""})
	next := r.leaf(time.Hour)
	r.mount.Write(t, next.Files())
	if !r.result() {
		t.Fatal("no restart")
	}
	r.start(all)
	r.state(reload.Unverified, next)
}

func TestRestartNeedsAMemory(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	for sentence, state := range map[string]string{"none was given": "", "it cannot be written": missing} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			r, _, _, _ := restarting(t, settings{"state": state})
			next := r.leaf(time.Hour)
			r.mount.Write(t, next.Files())
			s := r.state(reload.Failed, next)
			if !strings.Contains(s.Certificates[0].Cause, "could not remember it") {
				t.Errorf("got %q", s.Certificates[0].Cause)
			}
		})
	}
}

func TestRestartAsTheLastResort(t *testing.T) {
	t.Parallel()
	r, _, _, _ := restarting(t, settings{"method": "socket,restart", "socket": "unix:/no/such/socket\n> x"})
	r.mount.Write(t, r.leaf(time.Hour).Files())
	if !r.result() {
		t.Fatal("no restart")
	}
	if n := r.logs.count("method socket failed"); n != 1 {
		t.Errorf("said %d times: %s", n, r.logs)
	}
}

func TestPermit(t *testing.T) {
	t.Parallel()
	t.Run("is waited for", func(t *testing.T) {
		t.Parallel()
		annotations := pki.NewMount(t)
		grant := func(value string) {
			annotations.Write(t, map[string][]byte{"annotations": fmt.Appendf(nil, "a=%q\ncertwire.dev/deliver=%q\nz=\"\"", "1", value)})
		}
		grant("")
		r, _, _, first := restarting(t, settings{"permit": settings{"file": filepath.Join(annotations.Dir, "annotations")}})
		next := r.leaf(time.Hour)
		r.mount.Write(t, next.Files())
		r.state(reload.AwaitingPermit, next)
		grant(string(probe.FingerprintOf(first.Chain[0].Raw))) // the old leaf's is none
		r.looks()
		r.state(reload.AwaitingPermit, next)
		if n := r.logs.count("restart waits for its permit"); n != 1 {
			t.Errorf("said %d times: %s", n, r.logs)
		}
		grant(string(probe.FingerprintOf(next.Chain[0].Raw)))
		if !r.result() {
			t.Fatal("no restart")
		}
	})
	t.Run("is done without after a while", func(t *testing.T) {
		t.Parallel()
		r, _, _, _ := restarting(t, settings{"permit": settings{"file": "/no/such/file", "deadline": "1ms", "spread": "1ms"}})
		r.mount.Write(t, r.leaf(time.Hour).Files())
		if !r.result() {
			t.Fatal("no restart")
		}
	})
	t.Run("is not for a change of the CA alone", func(t *testing.T) {
		t.Parallel()
		annotations := filepath.Join(t.TempDir(), "annotations")
		r, _, _, first := restarting(t, settings{"permit": settings{"file": annotations}})
		must(t, os.WriteFile(annotations, []byte(probe.FingerprintOf(first.Chain[0].Raw)), 0o600))
		files := first.Files()
		files["ca.crt"] = pki.SelfSigned(t, names).CertPEM()
		r.mount.Write(t, files)
		r.state(reload.AwaitingPermit, first)
	})
}

func TestPermits(t *testing.T) {
	t.Parallel()
	leaf := strings.Repeat("0a", 32)
	for sentence, c := range map[string]struct {
		file string
		want bool
	}{
		"the annotations name it":               {"a=\"b\"\ncertwire.dev/deliver=\"" + leaf + "\"\nc=\"d\"", true},
		"the annotation alone":                  {leaf + "\n", true},
		"in capitals with colons":               {strings.Repeat("0A:", 31) + "0A", true},
		"one of several":                        {"certwire.dev/deliver=\"" + strings.Repeat("0b", 32) + ", " + leaf + "\"", true},
		"another leaf":                          {strings.Repeat("0b", 32), false},
		"its beginning alone":                   {leaf[:60], false},
		"nothing":                               {"", false},
		"another annotation":                    {"other=\"" + leaf + "\"", false},
		"text that is not quoted":               {"certwire.dev/deliver=" + leaf, false},
		"a value that looks like an annotation": {"a=\"\\ncertwire.dev/deliver=" + leaf + "\"", false},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := reload.Permits([]byte(c.file), probe.Fingerprint(leaf)); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
	if reload.Permits(nil, "") {
		t.Error("nothing permits nothing")
	}
}

// FuzzPermits reads what a downward API file may hold.
func FuzzPermits(f *testing.F) {
	f.Add([]byte("certwire.dev/deliver=\"a\"\n"), "a")
	f.Add([]byte("a"), "a")
	f.Add([]byte("certwire.dev/deliver=\""), "")
	f.Fuzz(func(t *testing.T, file []byte, leaf string) {
		if reload.Permits(file, probe.Fingerprint(leaf)) && leaf == "" {
			t.Error("it permits nothing")
		}
	})
}

func TestAloneAt(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for sentence, c := range map[string]struct {
		left   time.Duration // of the certificate in use; negative for one that has ended
		random float64
		want   time.Duration
	}{
		"with plenty of time":                    {30 * 24 * time.Hour, 0, 30 * time.Minute},
		"the random part comes on top":           {30 * 24 * time.Hour, 1, time.Hour},
		"half of what is left, when it is short": {40 * time.Minute, 0, 20 * time.Minute},
		"and a quarter of it for the random":     {40 * time.Minute, 1, 30 * time.Minute},
		"at once when it has ended":              {-time.Hour, 1, 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := reload.AloneAt(since, since.Add(c.left), 30*time.Minute, 30*time.Minute, c.random).Sub(since); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	if got := reload.AloneAt(since, time.Time{}, time.Minute, time.Minute, 0.5).Sub(since); got != 90*time.Second {
		t.Errorf("got %s when nothing is known", got)
	}
}
