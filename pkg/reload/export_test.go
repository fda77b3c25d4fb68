package reload

import (
	"time"

	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/pkg/reload/spec"
)

// What tests reach for.
var (
	Permits = permits
	AloneAt = aloneAt
)

// FindProcess returns the number of the process found.
func FindProcess(proc, name string, self int) (int, error) {
	p, err := findProcess(proc, name, self)
	return p.pid, err
}

// Catches says whether a process catches a signal.
func Catches(proc, name string, signal int) error {
	p, err := findProcess(proc, name, 0)
	if err != nil {
		return err
	}
	return p.catches(signal)
}

// Age is how long a process has been running.
func Age(proc, name string) (time.Duration, error) {
	p, err := findProcess(proc, name, 0)
	if err != nil {
		return 0, err
	}
	return p.age(proc)
}

// ParseProc reads both files of a process.
func ParseProc(stat, status []byte) {
	if p, err := parseStat(stat); err == nil {
		p.parseStatus(status)
	}
}

// ServerName is the SNI that verification sends.
func ServerName(names ...string) string { return serverName(probe.Leaf{Names: names}) }

// Look reads a volume once.
func Look(c Certificate) error {
	_, err := read(c)
	return err
}

// Endpoints is what verification dials, and whether each is only guessed.
func Endpoints(c Config) map[string]bool {
	s, err := spec.Parse(c.Values)
	if err != nil {
		panic(err)
	}
	all := map[string]bool{}
	for _, e := range newEndpoints(c, s) {
		all[e.String()] = e.guessed
	}
	return all
}
