package reload_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/certwire/certwire/pkg/reload"
)

// fake is a process in a tree of files like /proc.
type fake struct {
	pid, parent int
	comm, argv0 string
	state       string
}

func fakeProc(t *testing.T, all ...fake) string {
	t.Helper()
	root := t.TempDir()
	for _, p := range all {
		dir := filepath.Join(root, strconv.Itoa(p.pid))
		must(t, os.Mkdir(dir, 0o700))
		if p.state == "" {
			p.state = "S"
		}
		must(t, os.WriteFile(filepath.Join(dir, "stat"), fmt.Appendf(nil,
			"%d (%s) %s %d 1 1 0 -1 4194560 1 0 0 0 1 1 0 0 20 0 1 0 100 1 1 1", p.pid, p.comm, p.state, p.parent), 0o600))
		must(t, os.WriteFile(filepath.Join(dir, "status"), []byte("Name:\tx\nUid:\t1\t2\t3\t4\nSigIgn:\t0000000000000002\nSigCgt:\t0000000000000001\n"), 0o600))
		must(t, os.WriteFile(filepath.Join(dir, "cmdline"), []byte(p.argv0+"\x00-g\x00daemon off;\x00"), 0o600))
	}
	must(t, os.WriteFile(filepath.Join(root, "uptime"), []byte("100.50 200.00\n"), 0o600))
	must(t, os.Mkdir(filepath.Join(root, "sys"), 0o700))
	return root
}

func TestFindProcess(t *testing.T) {
	t.Parallel()
	pause := fake{pid: 1, comm: "pause", argv0: "/pause"}
	agent := fake{pid: 9, comm: "agent", argv0: "/agent"}
	for sentence, c := range map[string]struct {
		all  []fake
		name string
		want int
		err  string
	}{
		"the master, not its workers": {[]fake{pause, agent, {pid: 20, comm: "nginx", argv0: "nginx: master process nginx"},
			{pid: 21, parent: 20, comm: "nginx", argv0: "nginx: worker process"}, {pid: 22, parent: 20, comm: "nginx", argv0: "nginx: worker process"}}, "nginx", 20, ""},
		"the master behind a shell": {[]fake{pause, agent, {pid: 20, comm: "sh", argv0: "/bin/sh"}, {pid: 21, parent: 20, comm: "postgres", argv0: "postgres"},
			{pid: 22, parent: 21, comm: "postgres", argv0: "postgres: checkpointer"}}, "postgres", 21, ""},
		"a worker whose master is behind another process": {[]fake{pause, agent, {pid: 20, comm: "a"}, {pid: 21, parent: 20, comm: "b"},
			{pid: 22, parent: 21, comm: "c"}}, "b", 21, ""},
		"by the end of the path that it was started by": {[]fake{pause, agent, {pid: 20, comm: "java", argv0: "/opt/server"}}, "server", 20, ""},
		"by the first 15 bytes of a long name":          {[]fake{pause, agent, {pid: 20, comm: "a-very-long-nam", argv0: "x"}}, "a-very-long-name-indeed", 20, ""},
		"a name with parentheses":                       {[]fake{pause, agent, {pid: 20, comm: ") S 1 (", argv0: "x"}}, ") S 1 (", 20, ""},
		"a zombie is none":                              {[]fake{pause, agent, {pid: 20, comm: "nginx", state: "Z"}, {pid: 21, comm: "nginx"}}, "nginx", 21, ""},
		"never number 1":                                {[]fake{{pid: 1, comm: "nginx", argv0: "nginx"}, agent}, "nginx", 0, "no process is named nginx among 1 (nginx), 9 (agent)"},
		"never the agent itself":                        {[]fake{pause, agent}, "agent", 0, "only the agent is in sight"},
		"only the agent in sight":                       {[]fake{{pid: 9, comm: "agent"}}, "nginx", 0, "the pod does not share its process namespace"},
		"two of a name": {[]fake{pause, agent, {pid: 20, comm: "nginx"}, {pid: 30, comm: "nginx"}}, "nginx", 0,
			"several processes are named nginx: 20 (nginx), 30 (nginx)"},
		"nobody among many": {[]fake{pause, agent, {pid: 20, comm: "a"}, {pid: 21, comm: "b"}, {pid: 22, comm: "c"}, {pid: 23, comm: "d"},
			{pid: 24, comm: "e"}, {pid: 25, comm: "f"}, {pid: 26, comm: "g"}}, "nginx", 0, "26 (g), and 1 more"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if sentence == "nobody among many" {
				c.err = "and 1 more"
			}
			pid, err := reload.FindProcess(fakeProc(t, c.all...), c.name, agent.pid)
			if pid != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %d and %v, want %d and %q", pid, err, c.want, c.err)
			}
		})
	}
	root := fakeProc(t, fake{pid: 20, comm: "nginx"})
	if age, err := reload.Age(root, "nginx"); err != nil || age.Seconds() != 99.5 {
		t.Errorf("got an age of %s and %v", age, err)
	}
}

func TestCatches(t *testing.T) {
	t.Parallel()
	root := fakeProc(t, fake{pid: 20, comm: "nginx"})
	for sentence, c := range map[string]struct {
		signal syscall.Signal
		err    string
	}{
		"a signal with a handler": {syscall.SIGHUP, ""},
		"one that is ignored":     {syscall.SIGINT, "process 20 (nginx) ignores this signal"},
		"one that would end it":   {syscall.SIGUSR2, "process 20 (nginx) does not catch this signal and would end"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			err := reload.Catches(root, "nginx", int(c.signal))
			if (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
				t.Errorf("got %v, want %q", err, c.err)
			}
		})
	}
	t.Run("what the kernel says of a real process", func(t *testing.T) {
		t.Parallel()
		for kind, want := range map[string]string{"serve": "", "ignore": "ignores this signal"} {
			dir := t.TempDir()
			if kind == "serve" {
				r := newRig(t)
				r.mount.Write(t, r.leaf(0).Files())
				dir = r.mount.Dir
			}
			name, _, _ := child(t, kind, dir)
			err := reload.Catches("/proc", name, int(syscall.SIGHUP))
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v", kind, err)
			}
		}
	})
}

// FuzzProc reads what /proc may hold, a process' name above all, which is anybody's choice.
func FuzzProc(f *testing.F) {
	f.Add([]byte("1 (a) S 0 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 100 1"), []byte("Uid:\t1\t1\t1\t1\nSigCgt:\t01\n"))
	f.Add([]byte(")("), []byte("Uid:"))
	f.Fuzz(func(_ *testing.T, stat, status []byte) { reload.ParseProc(stat, status) })
}
