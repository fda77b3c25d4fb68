package certs

import (
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	good := Options{Namespace: "certwire", DNSNames: []string{serverName}, RESTConfig: &rest.Config{Host: "localhost"}}
	for sentence, tc := range map[string]struct {
		change func(*Options)
		want   []string
	}{
		"what is required is enough": {change: func(*Options) {}},
		"everything that is missing is said at once": {
			change: func(o *Options) { *o = Options{} },
			want:   []string{"Namespace: Required", "DNSNames: Required", "RESTConfig: Required"},
		},
		"names are checked": {
			change: func(o *Options) {
				o.Namespace, o.SecretName, o.MutatingConfiguration = "a.b", "A", "-"
				o.ValidatingConfiguration, o.DNSNames = "_", []string{"ok", "not ok"}
			},
			want: []string{"Namespace: Invalid", "SecretName: Invalid", "MutatingConfiguration: Invalid",
				"ValidatingConfiguration: Invalid", "DNSNames: Invalid"},
		},
		"a leaf must not outlive its CA": {
			change: func(o *Options) { o.CADuration, o.LeafDuration = 2*day, day },
			want:   []string{"LeafDuration: Invalid"},
		},
		"a delay must leave time to renew": {
			change: func(o *Options) { o.LeafDuration, o.PublishDelay = time.Minute, time.Minute },
			want:   []string{"PublishDelay: Invalid"},
		},
		"times are positive": {
			change: func(o *Options) { o.CADuration, o.LeafDuration, o.PublishDelay = -1, -1, -1 },
			want:   []string{"CADuration: Invalid", "LeafDuration: Invalid", "PublishDelay: Invalid"},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			options := good
			tc.change(&options)
			_, err := New(options)
			if (err == nil) != (len(tc.want) == 0) {
				t.Fatalf("error %v, want %q", err, tc.want)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %q in it", err, want)
				}
			}
		})
	}
}
