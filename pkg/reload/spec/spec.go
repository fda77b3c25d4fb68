package spec

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// The annotations' keys.
const (
	MethodKey  = "certwire.dev/method"
	PresetKey  = "certwire.dev/preset"
	HTTPKey    = "certwire.dev/http"
	SocketKey  = "certwire.dev/socket"
	SignalKey  = "certwire.dev/signal"
	ProcessKey = "certwire.dev/process"
	VerifyKey  = "certwire.dev/verify"
)

// maxValue bounds the text of one annotation. Kubernetes allows 256 KiB for all of an object's together.
const maxValue = 16 << 10

// Values are the annotations' values as written on the pod template; empty means not set.
type Values struct {
	Method  string `json:"method,omitempty"`
	Preset  string `json:"preset,omitempty"`
	HTTP    string `json:"http,omitempty"`
	Socket  string `json:"socket,omitempty"`
	Signal  string `json:"signal,omitempty"`
	Process string `json:"process,omitempty"`
	Verify  string `json:"verify,omitempty"`
}

// FromAnnotations picks the values off a pod template's annotations.
func FromAnnotations(annotations map[string]string) Values {
	return Values{
		Method: annotations[MethodKey], Preset: annotations[PresetKey], HTTP: annotations[HTTPKey],
		Socket: annotations[SocketKey], Signal: annotations[SignalKey], Process: annotations[ProcessKey],
		Verify: annotations[VerifyKey],
	}
}

// Spec is how one server takes up a certificate.
type Spec struct {
	// Preset is the known server's name; empty without one.
	Preset string
	// Methods are tried in this order. It is not empty, has no method twice, and each has its parameters below.
	Methods []Method
	HTTP    *HTTP
	Socket  *Socket
	// Signal and Process belong together.
	Signal  Signal
	Process string
	// Verify is where TLS is served; empty leaves the choice to the reader.
	Verify []Endpoint
	// Patience is how long the server may take until it serves what it took up; 0 leaves it to the reader.
	Patience time.Duration
}

// Parse reads the values. The error joins one error for each value that is wrong, and is nil when there is none; a
// preset gives what the values do not say. Values that say nothing at all are an error too.
func Parse(v Values) (Spec, error) {
	var s Spec
	var problems []error
	report := func(key, value string, err error) {
		if err != nil {
			problems = append(problems, wrong(key, value, err))
		}
	}
	if v.Preset != "" {
		p, err := FindPreset(v.Preset)
		report(PresetKey, v.Preset, err)
		s = p.spec()
	}
	if v.HTTP != "" {
		h, err := ParseHTTP(v.HTTP)
		s.HTTP = &h
		report(HTTPKey, v.HTTP, err)
	}
	if v.Socket != "" {
		socket, err := ParseSocket(v.Socket)
		s.Socket = &socket
		report(SocketKey, v.Socket, err)
	}
	var err error
	if v.Signal != "" {
		s.Signal, err = ParseSignal(v.Signal)
		report(SignalKey, v.Signal, err)
	}
	if v.Process != "" {
		s.Process, err = ParseProcess(v.Process)
		report(ProcessKey, v.Process, err)
	}
	if v.Verify != "" {
		s.Verify, err = ParseVerify(v.Verify)
		report(VerifyKey, v.Verify, err)
	}
	if v.Method != "" {
		s.Methods, err = ParseMethods(v.Method)
		report(MethodKey, v.Method, err)
	}
	if len(problems) == 0 {
		problems = append(problems, s.complete(v))
	}
	return s, errors.Join(problems...)
}

// complete finds the methods that the values imply, and what the methods lack.
func (s *Spec) complete(v Values) error {
	if v.Method == "" {
		s.Methods = append(s.implied(v), s.Methods...)
		s.Methods = compact(s.Methods)
	}
	if len(s.Methods) == 0 {
		return fmt.Errorf("%s is not set; it is one of %s, or %s names a known server", MethodKey, list(Methods()), PresetKey)
	}
	var problems []error
	lacks := func(method Method, key, value string) {
		problems = append(problems, fmt.Errorf("%s=%q needs %s=%q or the like", MethodKey, method, key, value))
	}
	for _, m := range s.Methods {
		switch {
		case m == HTTPMethod && s.HTTP == nil:
			lacks(m, HTTPKey, "POST :9090/-/reload")
		case m == SocketMethod && s.Socket == nil:
			lacks(m, SocketKey, "unix:/run/server.sock\n> reload")
		case m == SignalMethod && s.Process == "":
			lacks(m, ProcessKey, "nginx")
		case m == SignalMethod && s.Signal == "":
			lacks(m, SignalKey, string(HUP))
		}
	}
	return errors.Join(problems...)
}

// implied are the methods whose parameters were given: who writes a socket command wants it sent.
func (s *Spec) implied(v Values) []Method {
	var methods []Method
	if v.HTTP != "" {
		methods = append(methods, HTTPMethod)
	}
	if v.Socket != "" {
		methods = append(methods, SocketMethod)
	}
	if v.Signal != "" {
		methods = append(methods, SignalMethod)
	}
	return methods
}

func compact(methods []Method) []Method {
	var out []Method
	for _, m := range methods {
		if !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}

// wrong names the annotation and its value, which is cut where it is long: the text becomes a warning of an admission
// response, and those are cut at 256 characters.
func wrong(key, value string, err error) error {
	if shown := []rune(value); len(shown) > 60 {
		value = string(shown[:57]) + "..."
	}
	return fmt.Errorf("%s=%q: %w", key, value, err)
}

// bounded refuses text that no person wrote.
func bounded(value string) error {
	if len(value) > maxValue {
		return fmt.Errorf("is longer than %d bytes", maxValue)
	}
	return nil
}
