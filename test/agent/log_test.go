package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// agentContainer is the injected container's name.
const agentContainer = "certwire-agent"

// line is one of the agent's log.
type line map[string]any

func (l line) String() string {
	text, _ := json.Marshal(map[string]any(l))
	return string(text)
}

// has reports whether a line has a message, and attributes given as name and a part of their value.
func (l line) has(message string, attributes []string) bool {
	if l["msg"] != message {
		return false
	}
	for i := 0; i < len(attributes); i += 2 {
		if !strings.Contains(fmt.Sprint(l[attributes[i]]), attributes[i+1]) {
			return false
		}
	}
	return true
}

// log is what the agent, since it was started last, has said. Each of its lines is JSON.
func (r *rig) log(ctx context.Context) ([]line, error) {
	text, err := cluster.Client.CoreV1().Pods(r.namespace).GetLogs(r.pod.Name, &corev1.PodLogOptions{Container: agentContainer}).DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	var lines []line
	for raw := range strings.Lines(string(text)) {
		var l line
		if err := json.Unmarshal([]byte(raw), &l); err != nil {
			return nil, fmt.Errorf("%q is not JSON: %w", raw, err)
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// count is how many lines of the agent are as wanted.
func (r *rig) count(message string, attributes ...string) int {
	r.t.Helper()
	lines, err := r.log(r.t.Context())
	r.must(err)
	n := 0
	for _, l := range lines {
		if l.has(message, attributes) {
			n++
		}
	}
	return n
}

// said waits until the agent has said something and returns the last such line.
func (r *rig) said(message string, attributes ...string) line {
	r.t.Helper()
	var last line
	r.eventually(pollAPIEvery, fmt.Sprintf("the agent to say %q %q", message, attributes), func(ctx context.Context) error {
		lines, err := r.log(ctx)
		for _, l := range lines {
			if l.has(message, attributes) {
				last = l
			}
		}
		if err == nil && last == nil {
			err = errors.New("it has not")
		}
		return err
	})
	return last
}

// shown is the agent's log for a person.
func (r *rig) shown() string {
	if r.pod == nil {
		return "there is no pod"
	}
	lines, err := r.log(context.Background())
	var out strings.Builder
	for _, l := range lines {
		delete(l, "component")
		_, _ = fmt.Fprintln(&out, l)
	}
	before, _ := cluster.Client.CoreV1().Pods(r.namespace).
		GetLogs(r.pod.Name, &corev1.PodLogOptions{Container: agentContainer, Previous: true}).DoRaw(context.Background())
	return fmt.Sprintf("the agent's log (%v):\n%s\nand before it was started last:\n%s", err, out.String(), before)
}
