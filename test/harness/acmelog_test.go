package harness

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestACMELog(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	log := &acmeLog{file: &file, byID: map[string]*ACMEOrder{}}
	at := time.Date(2026, 11, 23, 17, 34, 14, 970_041_000, time.UTC)
	steps := []struct {
		name, text string
		want       []ACMEOrder
	}{
		{"other lines are no orders", "Pebble 2026/11/23 17:34:14 There are now 1 orders in the db\nfront: http: proxy error\n", []ACMEOrder{}},
		{"half a line waits for its end", `Pebble 2026/11/23 17:34:14 Added order "a-_1" to`, []ACMEOrder{}},
		{"then there is an order", " the db\n", []ACMEOrder{{ID: "a-_1"}}},
		{"then it has names", "2026-11-23T17:34:14.970041Z front: order \"a-_1\" is for a.example.com,b.example.com\n",
			[]ACMEOrder{{ID: "a-_1", Names: []string{"a.example.com", "b.example.com"}, At: at}}},
		{"then its certificate", "Pebble 2026/11/23 17:34:16 Issued certificate serial 62de719cec57d88d for order a-_1\n",
			[]ACMEOrder{{ID: "a-_1", Names: []string{"a.example.com", "b.example.com"}, At: at, Issued: true}}},
		{"an order that nobody added is none", "Pebble 2026/11/23 17:34:16 Issued certificate serial 1 for order b\n",
			[]ACMEOrder{{ID: "a-_1", Names: []string{"a.example.com", "b.example.com"}, At: at, Issued: true}}},
	}
	for _, step := range steps { // each goes on from the one before
		file.WriteString(step.text)
		got, err := log.history()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}

func TestACMEOrderHas(t *testing.T) {
	t.Parallel()
	order := ACMEOrder{Names: []string{"a.example.com", "b.example.com"}}
	tests := map[string]struct {
		names []string
		want  bool
	}{
		"no names ask for every order":      {nil, true},
		"one of its names":                  {[]string{"b.example.com"}, true},
		"all of its names":                  {[]string{"b.example.com", "a.example.com"}, true},
		"one of its names, and another one": {[]string{"a.example.com", "c.example.com"}, false},
		"a part of a name is another name":  {[]string{"example.com"}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := order.has(test.names); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
