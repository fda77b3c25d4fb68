package reload_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certwire/certwire/pkg/reload"
	"github.com/certwire/certwire/pkg/reload/spec"
)

func TestParseConfig(t *testing.T) {
	t.Parallel()
	minute := func(n int) reload.Duration { return reload.Duration(time.Duration(n) * time.Minute) }
	second := func(n float64) reload.Duration { return reload.Duration(n * float64(time.Second)) }
	got, err := reload.ParseConfig([]byte(`{
		"certificates": [{"name": "app-tls", "root": "/certwire/volumes/0"}, {"name": "b", "root": "/b", "cert": "x/cert.pem", "key": "-", "ca": "-"}],
		"preset": "nginx", "verify": "8443", "retry": "2m", "permit": {"file": "/certwire/pod/annotations"}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	want := reload.Config{
		Certificates: []reload.Certificate{
			{Name: "app-tls", Root: "/certwire/volumes/0", Cert: "tls.crt", Key: "tls.key", CA: "ca.crt"},
			{Name: "b", Root: "/b", Cert: "x/cert.pem"},
		},
		Values: spec.Values{Preset: "nginx", Verify: "8443"}, Host: "127.0.0.1", Attempts: 4, Retry: minute(2),
		Permit: reload.Permit{File: "/certwire/pod/annotations", Deadline: minute(30), Spread: minute(30)},
		Poll:   second(10), Debounce: second(0.1), Backoff: second(0.5), Timeout: second(10), StartDeadline: minute(5), Grace: second(5),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `"poll":"10s"`) {
		t.Errorf("got %s", text)
	}
}

func TestParseConfigRefuses(t *testing.T) {
	t.Parallel()
	const good = `"certificates":[{"name":"a","root":"/a"}],"method":"self"`
	for sentence, c := range map[string]struct{ text, want string }{
		"nothing":                      {``, "reading the configuration: EOF"},
		"text":                         {`x`, "reading the configuration"},
		"a field that is not known":    {`{` + good + `,"pol":"1s"}`, `unknown field "pol"`},
		"more after its end":           {`{` + good + `}{}`, "there is more after its end"},
		"a duration without a unit":    {`{` + good + `,"poll":"10"}`, `"10" is not a positive duration as in "10s"`},
		"a duration that is a number":  {`{` + good + `,"poll":10}`, "a duration is a string"},
		"a negative duration":          {`{` + good + `,"poll":"-1s"}`, "is not a positive duration"},
		"no certificate":               {`{"method":"self"}`, "certificates: there are 0"},
		"a name twice":                 {`{"certificates":[{"name":"a","root":"/a"},{"name":"a","root":"/b"}],"method":"self"}`, `certificates[1].name: "a" is there twice`},
		"no name":                      {`{"certificates":[{"root":"/a"}],"method":"self"}`, "certificates[0].name"},
		"a relative root":              {`{"certificates":[{"name":"a","root":"a"}],"method":"self"}`, `certificates[0].root: "a" is not an absolute path`},
		"a file outside of the volume": {`{"certificates":[{"name":"a","root":"/a","cert":"../b"}],"method":"self"}`, `certificates[0].cert: "../b" is not a path inside`},
		"no file to watch":             {`{"certificates":[{"name":"a","root":"/a","cert":"-"}],"method":"self"}`, "there is no file to watch"},
		"a host that is a name":        {`{` + good + `,"host":"localhost"}`, `host: "localhost" is not an address`},
		"a relative state":             {`{` + good + `,"state":"x"}`, `state: "x" is not an absolute path`},
		"a hundred attempts":           {`{` + good + `,"attempts":100}`, "attempts: 100 is not from 1 to 20"},
		"annotations that are wrong":   {`{"certificates":[{"name":"a","root":"/a"}],"method":"x","signal":"y"}`, `certwire.dev/signal="y"`},
		"no method":                    {`{"certificates":[{"name":"a","root":"/a"}]}`, "certwire.dev/method is not set"},
		"too much":                     {strings.Repeat(" ", 1<<20), "more than 262144 bytes"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			_, err := reload.ParseConfig([]byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestServerName(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		names []string
		want  string
	}{
		"the first name":              {[]string{"a.example.com", "b.example.com"}, "a.example.com"},
		"an address is none":          {[]string{"10.0.0.1", "a.example.com"}, "a.example.com"},
		"a name under a wildcard":     {[]string{"*.example.com"}, "certwire.example.com"},
		"nothing for addresses alone": {[]string{"10.0.0.1", "2001:db8::1"}, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := reload.ServerName(c.names...); got != c.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

// FuzzParseConfig reads what an environment variable may hold.
func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(`{"certificates":[{"name":"a","root":"/a"}],"preset":"nginx","ports":[1]}`))
	f.Add([]byte(`{"poll":"1s","permit":{"deadline":"1h"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := reload.ParseConfig(data)
		if err != nil {
			return
		}
		if _, err := reload.New(c, reload.Options{}); err != nil {
			t.Errorf("a configuration that was taken makes no engine: %v", err)
		}
	})
}

func TestWhatIsDialled(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		config reload.Config
		want   map[string]bool
	}{
		"what the owner named": {
			reload.Config{Values: spec.Values{Preset: "nginx", Verify: "8443=a.example.com"}, Ports: []uint16{80}},
			map[string]bool{"8443=a.example.com": false},
		},
		"the preset's port where the pod declares none":  {reload.Config{Values: spec.Values{Preset: "nginx"}}, map[string]bool{"443": false}},
		"the preset's port where the pod declares it":    {reload.Config{Values: spec.Values{Preset: "nginx"}, Ports: []uint16{80, 443}}, map[string]bool{"443": false}},
		"the pod's ports where the preset's is not one":  {reload.Config{Values: spec.Values{Preset: "nginx"}, Ports: []uint16{8080, 8443}}, map[string]bool{"8080": true, "8443": true}},
		"in the preset's protocol on a port that moved":  {reload.Config{Values: spec.Values{Preset: "postgres"}, Ports: []uint16{6432}}, map[string]bool{"6432+postgres": true}},
		"the pod's ports where there is no preset":       {reload.Config{Values: spec.Values{Method: "self"}, Ports: []uint16{8443}}, map[string]bool{"8443": true}},
		"nothing where nobody knows a port of the pod's": {reload.Config{Values: spec.Values{Method: "self"}}, map[string]bool{}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, reload.Endpoints(c.config)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
