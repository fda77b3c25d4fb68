package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certwire/certwire/pkg/reload"
)

// writeMetrics writes the text format of Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/). It is
// written by hand: the client library would add 2.9 MB to 7.0, for a dozen series.
func writeMetrics(w io.Writer, s reload.Status) {
	m := metricsWriter{w}
	m.head("certwire_agent_build_info", "gauge", "The agent's version.")
	m.sample("certwire_agent_build_info", 1, "version", version)

	m.head("certwire_agent_certificate_state", "gauge", "1 for the state that a certificate is in, 0 for the others.")
	for _, c := range s.Certificates {
		for _, state := range reload.States() {
			m.sample("certwire_agent_certificate_state", one(c.State == state), "certificate", c.Name, "state", string(state))
		}
	}
	m.head("certwire_agent_certificate_not_after_timestamp_seconds", "gauge", "When the certificate in the volume ends.")
	for _, c := range s.Certificates {
		if c.Leaf.Fingerprint != "" {
			m.sample("certwire_agent_certificate_not_after_timestamp_seconds", seconds(c.Leaf.NotAfter), "certificate", c.Name)
		}
	}
	m.head("certwire_agent_endpoint_match", "gauge", "1 for what the last look at an endpoint showed.")
	for _, e := range s.Endpoints {
		m.sample("certwire_agent_endpoint_match", 1, "endpoint", e.Endpoint, "match", string(e.Match), "cause", string(e.Cause))
	}
	m.head("certwire_agent_reloads_total", "counter", "Tries of a method by how they ended.")
	for _, k := range slices.SortedFunc(maps.Keys(s.Counts), func(a, b reload.Count) int {
		return cmp.Or(cmp.Compare(a.Method, b.Method), cmp.Compare(a.Outcome, b.Outcome))
	}) {
		m.sample("certwire_agent_reloads_total", float64(s.Counts[k]), "method", string(k.Method), "outcome", string(k.Outcome))
	}
	m.head("certwire_agent_last_served_timestamp_seconds", "gauge", "When a new leaf was last shown to be served; 0 before that.")
	m.sample("certwire_agent_last_served_timestamp_seconds", seconds(s.LastServed))
	m.head("certwire_agent_last_served_duration_seconds", "gauge", "How long that was from the notice of the change.")
	m.sample("certwire_agent_last_served_duration_seconds", s.Took.Seconds())
	m.head("certwire_agent_notify", "gauge", "1 if changes are noticed by inotify, 0 if by polling alone.")
	m.sample("certwire_agent_notify", one(s.Notify))
}

type metricsWriter struct{ w io.Writer }

func (m metricsWriter) head(name, kind, help string) {
	_, _ = fmt.Fprintf(m.w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// labelEscapes are those of the format.
var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// sample writes one line; labels are pairs of name and value.
func (m metricsWriter) sample(name string, value float64, labels ...string) {
	var pairs []string
	for i := 0; i < len(labels); i += 2 {
		pairs = append(pairs, labels[i]+`="`+labelEscapes.Replace(labels[i+1])+`"`)
	}
	if len(pairs) > 0 {
		name += "{" + strings.Join(pairs, ",") + "}"
	}
	_, _ = fmt.Fprintf(m.w, "%s %s\n", name, strconv.FormatFloat(value, 'f', -1, 64))
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
