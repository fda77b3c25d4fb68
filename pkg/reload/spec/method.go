package spec

import (
	"fmt"
	"slices"
	"strings"
)

// Method is how a server takes up a new certificate.
type Method string

// The methods.
const (
	// Self: the server watches its files; there is nothing to do but to look.
	Self Method = "self"
	// HTTPMethod: one request.
	HTTPMethod Method = "http"
	// SocketMethod: lines over a socket.
	SocketMethod Method = "socket"
	// SignalMethod: one signal to one process.
	SignalMethod Method = "signal"
	// Restart: all containers of the pod, in place.
	Restart Method = "restart"
	// Rollout: new pods. The agent leaves that to others.
	Rollout Method = "rollout"
)

// Methods returns all methods, the gentlest first.
func Methods() []Method {
	return []Method{Self, HTTPMethod, SocketMethod, SignalMethod, Restart, Rollout}
}

// ParseMethods reads one method, or several with commas between them: the first is tried first, the others when it
// fails.
func ParseMethods(value string) ([]Method, error) {
	if err := bounded(value); err != nil {
		return nil, err
	}
	var methods []Method
	for word := range strings.SplitSeq(value, ",") {
		m := Method(strings.TrimSpace(word))
		if !slices.Contains(Methods(), m) {
			return nil, fmt.Errorf("%q is not a method, which is one of %s", string(m), list(Methods()))
		}
		if slices.Contains(methods, m) {
			return nil, fmt.Errorf("%q is there twice", string(m))
		}
		methods = append(methods, m)
	}
	return methods, nil
}

// list writes words for a person.
func list[T ~string](words []T) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(w))
	}
	return b.String()
}
