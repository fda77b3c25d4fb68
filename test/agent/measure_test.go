package agent

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// measurements are times from the write of a Secret to the first handshake that shows the new leaf.
type measurements struct {
	lock sync.Mutex
	took map[string][]time.Duration
}

var measured = measurements{took: map[string][]time.Duration{}}

func (m *measurements) note(what string, took time.Duration) {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.took[what] = append(m.took[what], took.Round(time.Millisecond))
}

// table is for a person.
func (m *measurements) table() string {
	m.lock.Lock()
	defer m.lock.Unlock()
	var out strings.Builder
	out.WriteString("from the write of the Secret to the new leaf on the wire, all tests at once:\n")
	for _, what := range slices.Sorted(maps.Keys(m.took)) {
		all := slices.Sorted(slices.Values(m.took[what]))
		_, _ = fmt.Fprintf(&out, "  %-55s median %-7s of %v\n", what, all[len(all)/2], all)
	}
	return out.String()
}
