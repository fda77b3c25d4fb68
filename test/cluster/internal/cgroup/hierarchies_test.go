package cgroup

import (
	"slices"
	"testing"
)

const (
	version1 = "31 25 0:27 / /sys/fs/cgroup/cpu rw,relatime - cgroup none rw,cpu\n" +
		"32 25 0:28 / /sys/fs/cgroup/pids rw,relatime shared:9 - cgroup none rw,pids\n"
	version2 = "33 25 0:29 / /sys/fs/cgroup/unified rw,relatime - cgroup2 none rw\n"
	another  = "34 25 0:30 /below /mnt rw,relatime - cgroup none rw,cpu\n" +
		"35 25 0:31 / /tmp rw - tmpfs cgroup rw\n"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		mountinfo string
		want      []hierarchy
	}{
		"version 1 alone": {version1, []hierarchy{
			{path: "/sys/fs/cgroup/cpu", controls: true}, {path: "/sys/fs/cgroup/pids", controls: true},
		}},
		"version 2 alone has the controllers": {version2, []hierarchy{
			{path: "/sys/fs/cgroup/unified", unified: true, controls: true},
		}},
		"version 2 beside version 1 has none, and comes last": {version2 + version1, []hierarchy{
			{path: "/sys/fs/cgroup/cpu", controls: true}, {path: "/sys/fs/cgroup/pids", controls: true},
			{path: "/sys/fs/cgroup/unified", unified: true},
		}},
		"a mount of a part, and what only has the name, do not count": {another, nil},
		"a hierarchy that is mounted twice over counts once":          {version2 + version2, []hierarchy{{path: "/sys/fs/cgroup/unified", unified: true, controls: true}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := parse(test.mountinfo); !slices.Equal(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(version1 + version2 + another)
	f.Add(" - \n")
	f.Fuzz(func(t *testing.T, mountinfo string) {
		for _, h := range parse(mountinfo) {
			if h.path == "" {
				t.Errorf("%q: a hierarchy without a path", mountinfo)
			}
		}
	})
}

func TestRemoveRefusesWhatIsNoName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "/", ".", "..", "../pids", "a/b"} {
		if _, err := Remove(name, 0); err == nil {
			t.Errorf("cgroup %q was removed", name)
		}
	}
}
