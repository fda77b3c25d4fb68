package controlplane

import (
	"strings"
	"testing"
)

func TestCheckNode(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ node, says string }{
		"a ready node without taints takes pods": {
			`{"status":{"conditions":[{"type":"MemoryPressure","status":"False"},{"type":"Ready","status":"True"}]}}`, "",
		},
		"a node that is not ready says why": {
			`{"status":{"conditions":[{"type":"Ready","status":"False","message":"no network"}]}}`, "no network",
		},
		"a ready node with a taint does not take pods yet": {
			`{"spec":{"taints":[{"key":"node.kubernetes.io/not-ready"}]},"status":{"conditions":[{"type":"Ready","status":"True"}]}}`, "not-ready",
		},
		"a node without conditions is waited for": {`{}`, "not reported"},
		"what is no object is refused":            {`[`, "reading the node"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := checkNode([]byte(test.node))
			if test.says == "" && err != nil {
				t.Errorf("got %v, want none", err)
			}
			if test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
				t.Errorf("got %v, want an error that says %q", err, test.says)
			}
		})
	}
}
