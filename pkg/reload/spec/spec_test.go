package spec_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certwire/certwire/pkg/reload/spec"
)

var regexps = cmp.Comparer(func(a, b *regexp.Regexp) bool {
	return a == b || a != nil && b != nil && a.String() == b.String()
})

// script is HAProxy's, as a user would write it.
const script = `unix:/run/haproxy/admin.sock each timeout=5s
> set ssl cert /etc/haproxy/tls.pem <<
> {pem}
>
< Transaction (created|updated)

> commit ssl cert /etc/haproxy/tls.pem
< Success!
`

func TestParse(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		values spec.Values
		want   spec.Spec
	}{
		"a preset alone": {spec.Values{Preset: "nginx"}, spec.Spec{
			Preset: "nginx", Methods: []spec.Method{spec.SignalMethod, spec.Restart}, Signal: spec.HUP, Process: "nginx",
			Verify: []spec.Endpoint{{Port: 443}},
		}},
		"a preset whose port and method are others": {spec.Values{Preset: "postgres", Method: "restart", Verify: "5433+postgres=db.example.com"}, spec.Spec{
			Preset: "postgres", Methods: []spec.Method{spec.Restart}, Signal: spec.HUP, Process: "postgres",
			Verify: []spec.Endpoint{{Port: 5433, StartTLS: "postgres", ServerName: "db.example.com"}},
		}},
		"a preset with a request comes after the request": {spec.Values{Preset: "caddy", HTTP: ":2019/load"}, spec.Spec{
			Preset: "caddy", Methods: []spec.Method{spec.HTTPMethod, spec.Restart},
			HTTP: &spec.HTTP{Verb: "POST", URL: "http://127.0.0.1:2019/load"}, Verify: []spec.Endpoint{{Port: 443}},
		}},
		"a server that watches its files": {spec.Values{Method: "self", Verify: "8443, 9443"}, spec.Spec{
			Methods: []spec.Method{spec.Self}, Verify: []spec.Endpoint{{Port: 8443}, {Port: 9443}},
		}},
		"a signal with its process": {spec.Values{Method: "signal,restart", Signal: "sighup", Process: "my-server"}, spec.Spec{
			Methods: []spec.Method{spec.SignalMethod, spec.Restart}, Signal: spec.HUP, Process: "my-server",
		}},
		"a request implies its method": {spec.Values{
			HTTP: "PUT https://localhost:8443/reload expect=200,204 timeout=10s name=api.example.com body=/etc/x header=X-A:b header=C:d",
		}, spec.Spec{
			Methods: []spec.Method{spec.HTTPMethod}, HTTP: &spec.HTTP{
				Verb: "PUT", URL: "https://localhost:8443/reload", Expect: []int{200, 204}, Timeout: 10 * time.Second,
				Verify: true, ServerName: "api.example.com", Body: "/etc/x", Headers: []string{"X-A: b", "C: d"},
			},
		}},
		"a script": {spec.Values{Socket: script}, spec.Spec{
			Methods: []spec.Method{spec.SocketMethod}, Socket: &spec.Socket{
				Network: "unix", Address: "/run/haproxy/admin.sock", Each: true, Timeout: 5 * time.Second, Steps: []spec.Step{
					{Send: "set ssl cert /etc/haproxy/tls.pem <<\n{pem}\n\n", Expect: regexp.MustCompile("Transaction (created|updated)")},
					{Send: "commit ssl cert /etc/haproxy/tls.pem\n", Expect: regexp.MustCompile("Success!")},
				},
			},
		}},
		"a script over TLS, with a password from a file": {spec.Values{Socket: "tls::6379\n> AUTH {file:/run/p}\n< OK\n> {\"a\":1}"}, spec.Spec{
			Methods: []spec.Method{spec.SocketMethod}, Socket: &spec.Socket{
				Network: "tls", Address: "127.0.0.1:6379", Steps: []spec.Step{
					{Send: "AUTH {file:/run/p}\n", Expect: regexp.MustCompile("OK")}, {Send: "{\"a\":1}\n"},
				},
			},
		}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			got, err := spec.Parse(c.values)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got, regexps); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const noHost = `the agent talks to its own pod alone`
	for sentence, c := range map[string]struct {
		values spec.Values
		want   []string // parts of the text
	}{
		"nothing":        {spec.Values{}, []string{"certwire.dev/method is not set", "self, http, socket, signal, restart, rollout"}},
		"a verify alone": {spec.Values{Verify: "443"}, []string{"certwire.dev/method is not set"}},
		"a method that is none": {spec.Values{Method: "reload"}, []string{
			`certwire.dev/method="reload": "reload" is not a method, which is one of self, http, socket, signal, restart, rollout`}},
		"a method twice":        {spec.Values{Method: "self,self"}, []string{`"self" is there twice`}},
		"a comma too many":      {spec.Values{Method: "self,"}, []string{`"" is not a method`}},
		"a preset that is none": {spec.Values{Preset: "apache"}, []string{`certwire.dev/preset="apache": is not a known server, which is one of caddy, envoy`, "vault"}},
		"a method without its parameters": {spec.Values{Method: "http,socket,signal"}, []string{
			`certwire.dev/method="http" needs certwire.dev/http="POST :9090/-/reload"`, `needs certwire.dev/socket=`, `needs certwire.dev/process="nginx"`}},
		"a signal without a process": {spec.Values{Signal: "HUP"}, []string{`needs certwire.dev/process`}},
		"a process without a signal": {spec.Values{Method: "signal", Process: "x"}, []string{`needs certwire.dev/signal="HUP"`}},
		"a signal that kills":        {spec.Values{Signal: "KILL"}, []string{`certwire.dev/signal="KILL": is not one of HUP, USR1, USR2, WINCH`}},
		"a process by its number":    {spec.Values{Process: "1"}, []string{`certwire.dev/process="1": is a number`}},
		"a process by its path":      {spec.Values{Process: "/usr/sbin/nginx"}, []string{"give its last part alone"}},
		"several mistakes at once": {spec.Values{Method: "x", Preset: "y", Signal: "z"}, []string{
			"certwire.dev/method=", "certwire.dev/preset=", "certwire.dev/signal="}},
		"a request without a URL":                  {spec.Values{HTTP: "POST"}, []string{"has no URL"}},
		"a request to somebody else":               {spec.Values{HTTP: "http://10.0.0.1/reload"}, []string{`the host "10.0.0.1"`, noHost}},
		"a request to a name":                      {spec.Values{HTTP: "http://metadata.internal/"}, []string{noHost}},
		"a request with a user":                    {spec.Values{HTTP: "http://a:b@localhost/"}, []string{"use option header="}},
		"a request by another scheme":              {spec.Values{HTTP: "file:///etc/passwd"}, []string{`begins with "file"`}},
		"a request to nowhere":                     {spec.Values{HTTP: "/-/reload"}, []string{"neither host nor port"}},
		"a request to port 0":                      {spec.Values{HTTP: ":0/-/reload"}, []string{`the port "0"`}},
		"an option that is none":                   {spec.Values{HTTP: ":80/ retry=1"}, []string{`"retry=1" is no option, which is one of expect=`}},
		"a code that is none":                      {spec.Values{HTTP: ":80/ expect=2xx"}, []string{`"2xx" is not a status code`}},
		"a header with a line end":                 {spec.Values{HTTP: ":80/ header=A:b\x01"}, []string{"is not as in Cache-Control"}},
		"a timeout of an hour":                     {spec.Values{HTTP: ":80/ timeout=1h"}, []string{`"1h" is not a duration from 100ms to 5m0s`}},
		"a name without TLS":                       {spec.Values{HTTP: ":80/ name=x"}, []string{"needs an https:// URL"}},
		"a body at no absolute path":               {spec.Values{HTTP: ":80/ body=x"}, []string{"is not an absolute path"}},
		"a socket that is none":                    {spec.Values{Socket: "/run/x"}, []string{"does not begin with one of unix: tcp: tls:"}},
		"a socket at a relative path":              {spec.Values{Socket: "unix:x\n> y"}, []string{"absolute path"}},
		"a socket of somebody else":                {spec.Values{Socket: "tcp:10.0.0.1:80\n> y"}, []string{noHost}},
		"a socket without a port":                  {spec.Values{Socket: "tcp:127.0.0.1\n> y"}, []string{"is not as in tcp:127.0.0.1:9999"}},
		"a script that sends nothing":              {spec.Values{Socket: "unix:/x"}, []string{"sends nothing"}},
		"a script that expects first":              {spec.Values{Socket: "unix:/x\n< OK"}, []string{"line 2 expects an answer"}},
		"a script with a bad expression":           {spec.Values{Socket: "unix:/x\n> a\n< ("}, []string{"line 3: error parsing regexp"}},
		"a script with an expression that repeats": {spec.Values{Socket: "unix:/x\n> a\n< a{1000}a{1000}a{1000}a{1000}"}, []string{"line 3: the expression repeats too much"}},
		"a script with repetitions of repetitions": {spec.Values{Socket: "unix:/x\n> a\n< ((a{10}b{10}){10}){10}"}, []string{"line 3: the expression repeats too much"}},
		"a script with a long expression":          {spec.Values{Socket: "unix:/x\n> a\n< " + strings.Repeat("a", 513)}, []string{"line 3: the expression is longer than 512 bytes"}},
		"a script with many steps":                 {spec.Values{Socket: "unix:/x\n" + strings.Repeat("> a\n< b\n", 33)}, []string{"has more than 32 steps"}},
		"a script with a stray line":               {spec.Values{Socket: "unix:/x\na"}, []string{"line 2 begins with neither >"}},
		"a script with a relative file":            {spec.Values{Socket: "unix:/x\n> {file:a}"}, []string{"{file:a} names no absolute path"}},
		"a socket's option that is none":           {spec.Values{Socket: "unix:/x all\n> a"}, []string{`"all" is no option, which is one of each, timeout=`}},
		"a verify without a port":                  {spec.Values{Verify: "https"}, []string{`certwire.dev/verify="https": "https" has no port`, "5432+postgres"}},
		"a verify of an unknown protocol": {spec.Values{Verify: "21+ftp"}, []string{
			`"21+ftp" starts TLS in no protocol of imap, ldap, mysql, pop3, postgres, smtp`}},
		"a verify with an address as a name": {spec.Values{Verify: "443=10.0.0.1"}, []string{"a server name is no address"}},
		"a verify with an empty name":        {spec.Values{Verify: "443="}, []string{"1 to 253 characters"}},
		"a verify with a strange name":       {spec.Values{Verify: "443=a_b..c"}, []string{"labels of letters"}},
		"a verify twice":                     {spec.Values{Verify: "443,443"}, []string{`"443" is there twice`}},
		"a verify of port 65536":             {spec.Values{Verify: "65536"}, []string{"from 1 to 65535"}},
		"a long value is cut":                {spec.Values{Method: strings.Repeat("x", 200)}, []string{strings.Repeat("x", 57) + `..."`}},
		"a value that nobody wrote":          {spec.Values{HTTP: strings.Repeat("x", 20000)}, []string{"is longer than 16384 bytes"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			_, err := spec.Parse(c.values)
			if err == nil {
				t.Fatal("it was taken")
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

func TestFromAnnotations(t *testing.T) {
	t.Parallel()
	got := spec.FromAnnotations(map[string]string{
		"certwire.dev/method": "a", "certwire.dev/preset": "b", "certwire.dev/http": "c", "certwire.dev/socket": "d",
		"certwire.dev/signal": "e", "certwire.dev/process": "f", "certwire.dev/verify": "g", "other": "h",
	})
	if diff := cmp.Diff(spec.Values{Method: "a", Preset: "b", HTTP: "c", Socket: "d", Signal: "e", Process: "f", Verify: "g"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	files := map[string]string{"cert": "a\r\n\r\n\nb\n\n", "/run/password": "s3cret\n\n"}
	read := func(name string) ([]byte, error) {
		content, found := files[name]
		if !found {
			return nil, errors.New("no " + name)
		}
		return []byte(content), nil
	}
	for sentence, c := range map[string]struct{ text, want, err string }{
		"a PEM has no empty lines":     {"x <<\n{cert}\n\n", "x <<\na\nb\n\n", ""},
		"a password has no line end":   {"AUTH {file:/run/password}\n", "AUTH s3cret\n", ""},
		"other braces stay":            {`{"a":{"b":1}} {other}`, `{"a":{"b":1}} {other}`, ""},
		"a file that cannot be read":   {"{key} {ca}", " ", "no key"},
		"what is read is not expanded": {"{cert}{cert}", "a\nba\nb", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			got, err := spec.Expand(c.text, read)
			if got != c.want || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
				t.Errorf("got %q and %v, want %q and %q", got, err, c.want, c.err)
			}
		})
	}
}

// FuzzParse reads annotations as anybody may write them: it does not panic, what it takes is complete, and what it
// refuses it explains in bounded text.
func FuzzParse(f *testing.F) {
	f.Add("self", "nginx", "POST :9090/-/reload", script, "HUP", "nginx", "8443=a.example.com,5432+postgres")
	f.Add("signal,restart", "", "PUT https://[::1]:1/ name=a header=A:b", "tls::1\n> {file:/x}\n< a", "SIGUSR1", "x", "1")
	f.Add(",", "x", "://", "unix:\n>\n<(", "9", "/", "+=")
	f.Fuzz(func(t *testing.T, method, preset, http, socket, signal, process, verify string) {
		s, err := spec.Parse(spec.Values{
			Method: method, Preset: preset, HTTP: http, Socket: socket, Signal: signal, Process: process, Verify: verify,
		})
		if err != nil {
			if err.Error() == "" {
				t.Error("no explanation")
			}
			return
		}
		if len(s.Methods) == 0 {
			t.Error("no method")
		}
		for _, m := range s.Methods {
			switch {
			case m == spec.HTTPMethod && s.HTTP == nil, m == spec.SocketMethod && s.Socket == nil,
				m == spec.SignalMethod && (s.Signal == "" || s.Process == ""):
				t.Errorf("%s has no parameters", m)
			}
		}
	})
}
