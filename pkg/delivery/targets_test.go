package delivery

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/pkg/reload/spec"
)

func TestWhatIsDialled(t *testing.T) {
	t.Parallel()
	leaf := probe.Leaf{Names: []string{"*.example.com", "www.example.com"}}
	own := map[string]spec.Values{"shop": {Preset: "nginx"}, "till": {HTTP: "POST :9000/reload", Verify: "7443"}}
	for sentence, c := range map[string]struct {
		pod  Pod
		want string // address, what is before TLS, SNI
	}{
		"the port that the owner names":                   {Pod{IP: "10.0.0.1", Verify: "9443", Ports: map[string][]uint16{"s": {8443}}}, "10.0.0.1:9443  certwire.example.com"},
		"with its name and protocol":                      {Pod{IP: "10.0.0.1", Verify: "5432+postgres=db.example.com"}, "10.0.0.1:5432 postgres db.example.com"},
		"several of them":                                 {Pod{IP: "10.0.0.1", Verify: "1,2"}, "10.0.0.1:1  certwire.example.com; 10.0.0.1:2  certwire.example.com"},
		"the known server's":                              {Pod{IP: "10.0.0.1", Preset: "postgres"}, "10.0.0.1:5432 postgres certwire.example.com"},
		"a server known to the cluster":                   {Pod{IP: "10.0.0.1", Preset: "till"}, "10.0.0.1:7443  certwire.example.com"},
		"one that is another known server":                {Pod{IP: "10.0.0.1", Preset: "shop"}, "10.0.0.1:443  certwire.example.com"},
		"a known server that was moved":                   {Pod{IP: "10.0.0.1", Preset: "postgres", Ports: map[string][]uint16{"s": {6000}}}, "10.0.0.1:6000 postgres certwire.example.com (guessed)"},
		"the ports of the containers that use the Secret": {Pod{IP: "10.0.0.1", Ports: map[string][]uint16{"s": {8080, 8443}, "other": {1}}}, "10.0.0.1:8080  certwire.example.com (guessed); 10.0.0.1:8443  certwire.example.com (guessed)"},
		"over IPv6":                          {Pod{IP: "fd00::1", Verify: "443"}, "[fd00::1]:443  certwire.example.com"},
		"a wrong annotation is none":         {Pod{IP: "10.0.0.1", Verify: "https", Ports: map[string][]uint16{"s": {1}}}, "10.0.0.1:1  certwire.example.com (guessed)"},
		"nothing, with no port":              {Pod{IP: "10.0.0.1"}, ""},
		"nothing, with no address":           {Pod{Verify: "443"}, ""},
		"nothing at a cloud's own service":   {Pod{IP: "169.254.169.254", Verify: "80"}, ""},
		"nothing on certwire's own loopback": {Pod{IP: "127.0.0.1", Verify: "10250"}, ""},
		"nor behind another spelling of it":  {Pod{IP: "::ffff:127.0.0.1", Verify: "10250"}, ""},
		"nothing behind a name":              {Pod{IP: "example.com", Verify: "443"}, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, to := range targets(&c.pod, "s", leaf, own, nil) {
				text := fmt.Sprintf("%s %s %s", to.Address, to.StartTLS, to.ServerName)
				if to.guessed {
					text += " (guessed)"
				}
				got = append(got, text)
			}
			if text := strings.Join(got, "; "); text != c.want {
				t.Errorf("%s, want %s", text, c.want)
			}
		})
	}
}

func TestWhichPortsCount(t *testing.T) {
	t.Parallel()
	named := func(s EndpointState) Endpoint { return Endpoint{State: s} }
	guess := func(s EndpointState) Endpoint { return Endpoint{State: s, Guessed: true} }
	for sentence, c := range map[string]struct {
		seen []Endpoint
		want []EndpointState
	}{
		"all that were named":                      {[]Endpoint{named(Current), named(Unreachable)}, []EndpointState{Current, Unreachable}},
		"of guessed ones, those with the names":    {[]Endpoint{guess(NotTLS), guess(Current), guess(Foreign)}, []EndpointState{Current}},
		"those that are behind, too":               {[]Endpoint{guess(NotTLS), guess(Previous), guess(Current)}, []EndpointState{Previous, Current}},
		"if there is none, the most telling":       {[]Endpoint{guess(Unreachable), guess(NotTLS)}, []EndpointState{NotTLS}},
		"if nobody answers, that":                  {[]Endpoint{guess(Unreachable), guess(Unreachable)}, []EndpointState{Unreachable}},
		"without a port, that nobody knows of one": {nil, []EndpointState{NoPort}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			var got []EndpointState
			for _, e := range counted(c.seen) {
				got = append(got, e.State)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestWhatADialShows(t *testing.T) {
	t.Parallel()
	leaf := probe.Leaf{Fingerprint: "b", Names: []string{"a", "b"}, NotBefore: noon}
	served := func(l probe.Leaf) probe.Result { return probe.Result{State: probe.Served, Leaf: l} }
	for want, r := range map[EndpointState]probe.Result{
		Current:     served(probe.Leaf{Fingerprint: "b"}),
		Previous:    served(probe.Leaf{Fingerprint: "a", Names: []string{"c"}}),
		Ahead:       served(probe.Leaf{Fingerprint: "c", Names: []string{"a", "b"}, NotBefore: noon.Add(1)}),
		Other:       served(probe.Leaf{Fingerprint: "d", Names: []string{"b"}}),
		Default:     served(probe.Leaf{Fingerprint: "e", Names: []string{"ingress.local"}}),
		Foreign:     served(probe.Leaf{Fingerprint: "f", Names: []string{"z"}}),
		Unreachable: {State: probe.Unreachable},
		NotTLS:      {State: probe.NotTLS},
	} {
		if got := stateOf(r, leaf, []probe.Fingerprint{"a"}); got != want {
			t.Errorf("%+v is %s, want %s", r, got, want)
		}
	}
}
