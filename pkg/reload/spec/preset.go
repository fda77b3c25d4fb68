package spec

import (
	"fmt"
	"slices"
	"time"
)

// Preset is a known server: how it takes up a certificate, and where it serves it by default.
type Preset struct {
	Name string
	// Methods are tried in this order.
	Methods []Method
	// HTTP and Socket are as in the annotations; empty when there is none that needs nothing of the user's own.
	HTTP, Socket string
	Signal       Signal
	Process      string
	// Verify is where the server speaks TLS by default.
	Verify []Endpoint
	// Patience is how long it takes to serve what it took up; 0 for a server that does so at once.
	Patience time.Duration
	// Needs is what the user has to do for the gentlest method; empty for nothing. For the documentation, and for a
	// warning.
	Needs string
}

// FindPreset returns the preset of a name; the error lists the names.
func FindPreset(name string) (Preset, error) {
	presets := Presets()
	at := slices.IndexFunc(presets, func(p Preset) bool { return p.Name == name })
	if at < 0 {
		var names []string
		for _, p := range presets {
			names = append(names, p.Name)
		}
		return Preset{}, fmt.Errorf("is not a known server, which is one of %s", list(names))
	}
	return presets[at], nil
}

// spec is the preset alone, before the user's own values.
func (p Preset) spec() Spec {
	s := Spec{
		Preset: p.Name, Methods: slices.Clone(p.Methods), Signal: p.Signal, Process: p.Process,
		Verify: slices.Clone(p.Verify), Patience: p.Patience,
	}
	// The table's texts are tested to be right.
	if h, err := ParseHTTP(p.HTTP); p.HTTP != "" && err == nil {
		s.HTTP = &h
	}
	if socket, err := ParseSocket(p.Socket); p.Socket != "" && err == nil {
		s.Socket = &socket
	}
	return s
}
