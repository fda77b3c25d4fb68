package spec

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"regexp/syntax"
	"strings"
	"time"
)

// Socket is what is said over a socket to make a server reload.
type Socket struct {
	// Network is unix, tcp or tls. Over tls the server is not verified (it is in the same pod), and is shown the
	// volume's own pair if it asks for a client certificate.
	Network string
	// Address is a path, or a loopback address with its port.
	Address string
	// Each opens a connection for each step, for servers that hang up after a command.
	Each bool
	// Timeout bounds each step. 0 leaves it to the reader.
	Timeout time.Duration
	// Steps are done in order. There is at least one.
	Steps []Step
}

// Step is one command and its answer.
type Step struct {
	// Send is text with a line end after each line. {cert}, {key}, {ca}, {pem} (certificate and key) and {file:PATH}
	// stand for the content of files, see [Socket.Expand].
	Send string
	// Expect is a regular expression that the answer of a success has. nil takes any answer, and none.
	Expect *regexp.Regexp
}

// Bounds of a script.
const (
	maxSteps       = 32
	maxExpectation = 512
	maxWritten     = 4000
)

// ParseSocket reads an address with options, and a script of lines:
//
//	unix:/run/haproxy/admin.sock each timeout=5s
//	> set ssl cert /etc/haproxy/tls.pem <<
//	> {pem}
//	>
//	< Transaction (created|updated)
//	> commit ssl cert /etc/haproxy/tls.pem
//	< Success!
//
// Lines that begin with > are sent; < and a regular expression is what the answer to them must have. The address is
// unix:PATH, tcp:HOST:PORT or tls:HOST:PORT, with a loopback host, which may be left out.
func ParseSocket(value string) (Socket, error) {
	if err := bounded(value); err != nil {
		return Socket{}, err
	}
	lines := strings.Split(strings.TrimSpace(value), "\n")
	s, err := parseAddress(lines[0])
	if err != nil {
		return s, err
	}
	open := false // a command that has no expectation yet
	for i, line := range lines[1:] {
		line = strings.TrimRight(line, "\r")
		at := fmt.Sprintf("line %d", i+2)
		switch {
		case strings.HasPrefix(line, ">"):
			if !open {
				if len(s.Steps) == maxSteps {
					return s, fmt.Errorf("has more than %d steps", maxSteps)
				}
				s.Steps = append(s.Steps, Step{})
				open = true
			}
			text := strings.TrimPrefix(strings.TrimPrefix(line, ">"), " ")
			if err := checkPlaceholders(text); err != nil {
				return s, fmt.Errorf("%s: %w", at, err)
			}
			s.Steps[len(s.Steps)-1].Send += text + "\n"
		case strings.HasPrefix(line, "<"):
			if !open {
				return s, fmt.Errorf("%s expects an answer, but nothing was sent before it", at)
			}
			expect, err := Expression(strings.TrimSpace(line[1:]))
			if err != nil {
				return s, fmt.Errorf("%s: %w", at, err)
			}
			s.Steps[len(s.Steps)-1].Expect, open = expect, false
		case strings.TrimSpace(line) == "":
		default:
			return s, fmt.Errorf("%s begins with neither > (send) nor < (expect)", at)
		}
	}
	if len(s.Steps) == 0 {
		return s, errors.New("sends nothing; a line that begins with > is sent")
	}
	return s, nil
}

// Expression compiles a regular expression that a person would write, and refuses others with an error. Matching takes linear time whatever it is, but a
// repetition is written out when it is compiled: "a{1000}" as often as an annotation has room for took a second and half a
// gigabyte, in the webhook.
func Expression(text string) (*regexp.Regexp, error) {
	if len(text) > maxExpectation {
		return nil, fmt.Errorf("the expression is longer than %d bytes", maxExpectation)
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	if written(parsed) > maxWritten {
		return nil, errors.New("the expression repeats too much")
	}
	return regexp.Compile(text)
}

// written is how much an expression comes to without its repetitions.
func written(e *syntax.Regexp) int {
	n := 1 + len(e.Rune)
	for _, sub := range e.Sub {
		n += written(sub)
	}
	if e.Op == syntax.OpRepeat {
		n *= max(e.Min, e.Max, 1)
	}
	return n
}

func parseAddress(line string) (Socket, error) {
	var s Socket
	words := strings.Fields(line)
	if len(words) == 0 {
		return s, errors.New("has no address; it is as in unix:/run/server.sock or tcp:127.0.0.1:9999")
	}
	network, address, _ := strings.Cut(words[0], ":")
	s.Network, s.Address = network, address
	switch network {
	case "unix":
		// sockaddr_un holds 108 bytes, a zero byte among them (unix(7)).
		if !strings.HasPrefix(address, "/") || len(address) > 107 {
			return s, fmt.Errorf("%q is not unix: and an absolute path of at most 107 bytes", words[0])
		}
	case "tcp", "tls":
		host, port, err := net.SplitHostPort(address)
		if err != nil || !validPort(port) {
			return s, fmt.Errorf("%q is not as in %s:127.0.0.1:9999", words[0], network)
		}
		if host == "" {
			host = "127.0.0.1"
		}
		if !local(host) {
			return s, fmt.Errorf("the host %q is not 127.0.0.1, [::1] or localhost: the agent talks to its own pod alone", host)
		}
		s.Address = net.JoinHostPort(host, port)
	default:
		return s, fmt.Errorf("%q does not begin with one of unix: tcp: tls: and an address", words[0])
	}
	for _, word := range words[1:] {
		name, option, _ := strings.Cut(word, "=")
		var err error
		switch {
		case word == "each":
			s.Each = true
		case name == "timeout":
			s.Timeout, err = timeout(option)
		default:
			err = fmt.Errorf("%q is no option, which is one of each, timeout=", word)
		}
		if err != nil {
			return s, err
		}
	}
	return s, nil
}

// placeholder is what stands for a file's content. Other braces are text: commands may be JSON.
var placeholder = regexp.MustCompile(`\{(cert|key|ca|pem|file:[^{}]*)\}`)

func checkPlaceholders(text string) error {
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		if path, isFile := strings.CutPrefix(m[1], "file:"); isFile && !strings.HasPrefix(path, "/") {
			return fmt.Errorf("%s names no absolute path", m[0])
		}
	}
	return nil
}

// Expand replaces the placeholders of a text. read is given cert, key, ca, pem or the path of a file, and returns its
// content, of which the last line end is dropped. PEM text comes without empty lines: HAProxy's runtime API ends a
// payload at one (HAProxy management guide, section 9.3). The first error of read is returned.
func Expand(text string, read func(name string) ([]byte, error)) (string, error) {
	var failure error
	out := placeholder.ReplaceAllStringFunc(text, func(found string) string {
		name := strings.TrimPrefix(strings.Trim(found, "{}"), "file:")
		content, err := read(name)
		if err != nil {
			if failure == nil {
				failure = err
			}
			return ""
		}
		clean := strings.TrimRight(strings.ReplaceAll(string(content), "\r\n", "\n"), "\n")
		if !strings.HasPrefix(name, "/") {
			for strings.Contains(clean, "\n\n") {
				clean = strings.ReplaceAll(clean, "\n\n", "\n")
			}
		}
		return clean
	})
	return out, failure
}

// Files are the paths that the script's placeholders name.
func (s Socket) Files() []string {
	var files []string
	for _, step := range s.Steps {
		for _, m := range placeholder.FindAllStringSubmatch(step.Send, -1) {
			if path, isFile := strings.CutPrefix(m[1], "file:"); isFile {
				files = append(files, path)
			}
		}
	}
	return files
}
