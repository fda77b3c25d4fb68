package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Config is what the agent is told. Its JSON form is what the webhook injects; the annotations' values are in it as
// written, since both sides read them with the same code.
type Config struct {
	// Certificates are the pairs to watch. There is at least one.
	Certificates []Certificate `json:"certificates"`

	Values

	// Host is the address that verification dials. Defaults to 127.0.0.1.
	Host string `json:"host,omitempty"`
	// Ports are dialled for verification where Verify names none and the preset's port is none of them: those that turn
	// out to serve one of the certificates count, the others do not.
	Ports []uint16 `json:"ports,omitempty"`

	// State is a directory that outlives the container but not the pod, an emptyDir. Without it the agent cannot catch up
	// on what it missed unless the wire tells, and never restarts anything.
	State string `json:"state,omitempty"`
	// Permit rules when method restart may act.
	Permit Permit `json:"permit,omitzero"`

	// PollOnly does without inotify.
	PollOnly bool `json:"pollOnly,omitempty"`
	// Poll is how often the volumes are looked at whatever inotify says. Defaults to 10s.
	Poll Duration `json:"poll,omitempty"`
	// Debounce is how long a volume must be quiet after a notice before it is read. Defaults to 100ms.
	Debounce Duration `json:"debounce,omitempty"`
	// Attempts is how often a method is tried before the next one. Defaults to 4.
	Attempts int `json:"attempts,omitempty"`
	// Backoff is the wait after a method's first failed attempt; it doubles each time. Defaults to 500ms.
	Backoff Duration `json:"backoff,omitempty"`
	// Timeout bounds one attempt of a method that does not say otherwise. Defaults to 10s.
	Timeout Duration `json:"timeout,omitempty"`
	// VerifyDeadline is how long after a method a server may take to serve what it took up. Defaults to 30s, or to what
	// the preset knows of its server.
	VerifyDeadline Duration `json:"verifyDeadline,omitempty"`
	// StartDeadline is the same after the start of the pod, or of its containers. Defaults to 5m.
	StartDeadline Duration `json:"startDeadline,omitempty"`
	// Retry is the wait before everything is tried again after every method failed; it doubles each time, up to 15
	// times of it. Defaults to 1m.
	Retry Duration `json:"retry,omitempty"`
	// Grace is how long a process must have been running before it is sent a signal: it may not catch it yet. Defaults
	// to 5s.
	Grace Duration `json:"grace,omitempty"`
}

// Certificate is one pair in a volume.
type Certificate struct {
	// Name is what log lines and metrics call it: the Secret's name.
	Name string `json:"name"`
	// Root is the directory that the volume is mounted at.
	Root string `json:"root"`
	// Cert, Key and CA are file names in Root. Default to tls.crt, tls.key and ca.crt; "-" is for none.
	Cert string `json:"cert,omitempty"`
	Key  string `json:"key,omitempty"`
	CA   string `json:"ca,omitempty"`
}

// Permit rules when method restart may act: a pod's containers all restart at once, so a controller lets one pod after
// the other do it.
type Permit struct {
	// File is the pod's annotations, or its annotation certwire.dev/deliver alone, as a downward API volume shows them.
	// Empty grants every restart.
	File string `json:"file,omitempty"`
	// Deadline is how long the permit is waited for. Defaults to 30m.
	Deadline Duration `json:"deadline,omitempty"`
	// Spread is the bound of the random delay after it, so that replicas do not restart together. Defaults to 30m.
	Spread Duration `json:"spread,omitempty"`
}

// Duration is a time.Duration that JSON spells as Go does, as in "10s".
type Duration time.Duration

// UnmarshalJSON reads a positive duration.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return errors.New(`a duration is a string as in "10s"`)
	}
	parsed, err := time.ParseDuration(text)
	if err != nil || parsed <= 0 {
		return fmt.Errorf(`%q is not a positive duration as in "10s"`, text)
	}
	*d = Duration(parsed)
	return nil
}

// MarshalJSON writes it.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// Bounds of a configuration.
const (
	maxConfig       = 256 << 10
	MaxCertificates = 32
	MaxPorts        = 32
)

// ParseConfig reads a configuration strictly (unknown fields and trailing text are errors), fills in the defaults and
// validates it. The error joins all that is wrong with the values.
func ParseConfig(data []byte) (Config, error) {
	var c Config
	if len(data) > maxConfig {
		return c, fmt.Errorf("the configuration has more than %d bytes", maxConfig)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return c, fmt.Errorf("reading the configuration: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return c, errors.New("reading the configuration: there is more after its end")
	}
	c.setDefaults()
	return c, c.validate()
}

func (c *Config) setDefaults() {
	for i := range c.Certificates {
		cert := &c.Certificates[i]
		for _, f := range []struct {
			field *string
			name  string
		}{{&cert.Cert, "tls.crt"}, {&cert.Key, "tls.key"}, {&cert.CA, "ca.crt"}} {
			switch *f.field {
			case "":
				*f.field = f.name
			case "-":
				*f.field = ""
			}
		}
	}
	if c.Host == "" {
		c.Host = "127.0.0.1"
	}
	if c.Attempts == 0 {
		c.Attempts = 4
	}
	for _, d := range []struct {
		field *Duration
		value time.Duration
	}{
		{&c.Permit.Deadline, 30 * time.Minute}, {&c.Permit.Spread, 30 * time.Minute}, {&c.Poll, 10 * time.Second},
		{&c.Debounce, 100 * time.Millisecond}, {&c.Backoff, 500 * time.Millisecond}, {&c.Timeout, 10 * time.Second},
		{&c.StartDeadline, 5 * time.Minute}, {&c.Retry, time.Minute}, {&c.Grace, 5 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = Duration(d.value)
		}
	}
}

func (c *Config) validate() error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if len(c.Certificates) == 0 || len(c.Certificates) > MaxCertificates {
		add("certificates: there are %d, not 1 to %d", len(c.Certificates), MaxCertificates)
	}
	for i, cert := range c.Certificates {
		problems = append(problems, cert.validate(fmt.Sprintf("certificates[%d]", i)))
		if slices.ContainsFunc(c.Certificates[:i], func(o Certificate) bool { return o.Name == cert.Name }) {
			add("certificates[%d].name: %q is there twice", i, cert.Name)
		}
	}
	if _, err := netip.ParseAddr(c.Host); err != nil {
		add("host: %q is not an address", c.Host)
	}
	if len(c.Ports) > MaxPorts {
		add("ports: there are more than %d", MaxPorts)
	}
	for _, p := range []struct{ field, path string }{{"state", c.State}, {"permit.file", c.Permit.File}} {
		if p.path != "" && !filepath.IsAbs(p.path) {
			add("%s: %q is not an absolute path", p.field, p.path)
		}
	}
	if c.Attempts < 1 || c.Attempts > 20 {
		add("attempts: %d is not from 1 to 20", c.Attempts)
	}
	if _, err := Parse(c.Values); err != nil {
		add("%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return errors.Join(problems...)
}

func (c Certificate) validate(at string) error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(at+format, args...)) }
	if c.Name == "" || len(c.Name) > 253 {
		add(".name: %q does not have 1 to 253 characters", c.Name)
	}
	if !filepath.IsAbs(c.Root) {
		add(".root: %q is not an absolute path", c.Root)
	}
	if c.Cert == "" {
		add(".cert: there is no file to watch")
	}
	for _, f := range []struct{ field, file string }{{"cert", c.Cert}, {"key", c.Key}, {"ca", c.CA}} {
		// A projected item's path may have folders, but does not leave the volume.
		if f.file != "" && !filepath.IsLocal(f.file) {
			add(".%s: %q is not a path inside the volume", f.field, f.file)
		}
	}
	return errors.Join(problems...)
}
