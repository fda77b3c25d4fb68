package delivery

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/probe"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// replica is a pod that began an hour before the leaf was issued, and serves the same at one port that its owner named.
func replica(state EndpointState, changes ...func(*Replica)) Replica {
	r := Replica{Pod: "web-" + string(state), Started: noon.Add(-time.Hour), Endpoints: []Endpoint{{Port: "8443", State: state}}}
	for _, change := range changes {
		change(&r)
	}
	return r
}

func startedAt(d time.Duration) func(*Replica) {
	return func(r *Replica) { r.Started = noon.Add(d) }
}

func blindSince(d time.Duration) func(*Replica) {
	return func(r *Replica) { r.Blind = noon.Add(d) }
}

func guessed(r *Replica) { r.Endpoints[0].Guessed = true }
func waiting(r *Replica) { r.Waiting = true }

const (
	delivering = v1alpha1.DeliveryDelivering
	delivered  = v1alpha1.DeliveryDelivered
	stale      = v1alpha1.DeliveryStale
	unverified = v1alpha1.DeliveryUnverified
)

func TestAssess(t *testing.T) {
	t.Parallel()
	current, old := replica(Current), replica(Previous)
	for sentence, c := range map[string]struct {
		after    time.Duration // since the issuance
		before   v1alpha1.DeliveryState
		clean    int
		replicas []Replica
		state    v1alpha1.DeliveryState
		cause    Cause
		replied  string
	}{
		"nobody uses it":                                    {time.Hour, "", 0, nil, unverified, NoConsumer, "0/0"},
		"nobody uses it any more":                           {time.Hour, delivered, 0, nil, unverified, NoConsumer, "0/0"},
		"everybody has it, seen once":                       {time.Second, "", 1, []Replica{current, current}, delivering, "", "2/2"},
		"everybody has it, seen twice":                      {time.Second, delivering, 2, []Replica{current, current}, delivered, "", "2/2"},
		"everybody has it once more, as was proven before":  {time.Hour, delivered, 1, []Replica{current}, delivered, "", "1/1"},
		"everybody has it at last, seen once":               {time.Hour, stale, 1, []Replica{current}, delivering, "", "1/1"},
		"nobody has it yet":                                 {time.Second, "", 0, []Replica{old, old}, delivering, ReloadMissing, "0/2"},
		"some have it already":                              {time.Second, "", 0, []Replica{old, current}, delivering, Partial, "1/2"},
		"nobody has it after the deadline":                  {time.Hour, delivering, 0, []Replica{old, old, old}, stale, ReloadMissing, "0/3"},
		"one has not after the deadline":                    {time.Hour, delivering, 0, []Replica{current, old, current}, stale, Partial, "2/3"},
		"what is stale is so after a change of leader, too": {time.Second, stale, 0, []Replica{old}, stale, ReloadMissing, "0/1"},
		"a pod that is younger than the Secret serves what was before": {
			time.Hour, delivering, 0, []Replica{current, replica(Previous, startedAt(time.Minute))}, stale, WrongSecret, "1/2"},
		"a pod that began in the same moment may have had the old Secret": {
			time.Hour, delivering, 0, []Replica{replica(Previous, startedAt(time.Second))}, stale, ReloadMissing, "0/1"},
		"a young pod has its time, too": {
			time.Hour, delivered, 0, []Replica{current, replica(Previous, startedAt(time.Hour-time.Second))}, delivered, "", "1/2"},
		"a new pod that is not ready changes nothing": {
			time.Hour, delivered, 0, []Replica{current, replica(NotReady, startedAt(time.Hour-time.Second), blindSince(time.Hour))}, delivered, "", "1/2"},
		"one that is never ready proves nothing": {
			3 * time.Hour, delivered, 0, []Replica{current, replica(NotReady, blindSince(time.Hour))}, unverified, Unready, "1/2"},
		"the reference is broken":             {time.Hour, delivering, 0, []Replica{replica(Default)}, stale, DefaultServed, "0/1"},
		"another certificate is served":       {time.Hour, delivering, 0, []Replica{replica(Foreign)}, stale, ForeignServed, "0/1"},
		"one with some of the names is":       {time.Hour, delivering, 0, []Replica{replica(Other)}, stale, ReloadMissing, "0/1"},
		"a port that nobody named tells lies": {time.Hour, delivering, 0, []Replica{replica(Foreign, guessed, blindSince(0))}, unverified, ForeignServed, "0/1"},
		"a newer one than is known of":        {time.Hour, delivering, 0, []Replica{replica(Ahead, blindSince(0))}, unverified, NewerServed, "0/1"},
		"a network policy is in the way":      {time.Hour, delivering, 0, []Replica{replica(Unreachable, blindSince(0))}, unverified, CannotReach, "0/1"},
		"a short break proves nothing": {
			time.Hour, delivered, 0, []Replica{current, replica(Unreachable, blindSince(time.Hour-time.Second))}, delivered, "", "1/2"},
		"what is stale weighs more than what cannot be seen": {
			time.Hour, delivering, 0, []Replica{replica(Unreachable, blindSince(0)), old}, stale, ReloadMissing, "0/2"},
		"what cannot be seen is not fine": {
			time.Hour, delivering, 0, []Replica{current, replica(Unreachable, blindSince(0))}, unverified, CannotReach, "1/2"},
		"plain text is no TLS":                    {time.Hour, delivering, 0, []Replica{replica(NotTLS, blindSince(0))}, unverified, NoTLS, "0/1"},
		"nobody knows where it is served":         {time.Hour, delivering, 0, []Replica{replica(NoPort, blindSince(0))}, unverified, PortUnknown, "0/1"},
		"a replica waits for its turn to restart": {time.Hour, delivering, 0, []Replica{current, replica(Previous, waiting)}, delivering, RestartsInTurn, "1/2"},
		"a replica did not come back": {
			time.Hour, delivering, 0, []Replica{replica(NotReady, func(r *Replica) { r.Failed = true }), old}, stale, RestartFailed, "0/2"},
		"a server that is known to take its time has it": {
			3 * time.Minute, delivering, 0, []Replica{replica(Previous, func(r *Replica) { r.Patience = 5 * time.Minute })}, delivering, ReloadMissing, "0/1"},
		"one bad port makes a bad replica": {time.Hour, delivering, 0, []Replica{{
			Pod: "a", Started: noon, Endpoints: []Endpoint{{State: Current}, {State: Previous}}}}, stale, ReloadMissing, "0/1"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			got := Assess(Facts{
				Issued: noon, Now: noon.Add(c.after), Deadline: 2 * time.Minute, Before: c.before, Clean: c.clean, Replicas: c.replicas,
			})
			if got.State != c.state || got.Cause != c.cause || fmt.Sprintf("%d/%d", got.Current, got.Total) != c.replied {
				t.Errorf("%s %s %d/%d, want %s %s %s", got.State, got.Cause, got.Current, got.Total, c.state, c.cause, c.replied)
			}
		})
	}
}

func TestDivergenceBeginsWithTheIssuanceAndOnlyWithWhatWasSeen(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		replicas []Replica
		want     time.Time
	}{
		"everybody has it":            {[]Replica{replica(Current)}, time.Time{}},
		"one is behind":               {[]Replica{replica(Current), replica(Previous)}, noon},
		"a younger one is behind":     {[]Replica{replica(Previous, startedAt(time.Minute))}, noon.Add(time.Minute)},
		"one cannot be reached":       {[]Replica{replica(Unreachable, blindSince(0))}, time.Time{}},
		"one waits to be restarted":   {[]Replica{replica(Previous, waiting)}, noon},
		"a guessed port is another's": {[]Replica{replica(Foreign, guessed)}, time.Time{}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			got := Assess(Facts{Issued: noon, Now: noon.Add(time.Hour), Deadline: time.Minute, Replicas: c.replicas})
			if !got.Diverged.Equal(c.want) {
				t.Errorf("since %s, want %s", got.Diverged, c.want)
			}
		})
	}
}

func TestASweepIsConfirmedByOneOverTheSamePods(t *testing.T) {
	t.Parallel()
	type look struct {
		leaf  probe.Fingerprint
		pods  []string
		clean bool
		want  int
	}
	for sentence, looks := range map[string][]look{
		"twice":                             {{"a", []string{"1", "2"}, true, 1}, {"a", []string{"2", "1"}, true, 2}},
		"not after a dirty one":             {{"a", []string{"1"}, true, 1}, {"a", []string{"1"}, false, 0}, {"a", []string{"1"}, true, 1}},
		"not over another pod":              {{"a", []string{"1"}, true, 1}, {"a", []string{"3"}, true, 1}, {"a", []string{"3"}, true, 2}},
		"not over one more":                 {{"a", []string{"1"}, true, 1}, {"a", []string{"1", "2"}, true, 1}},
		"not over nothing":                  {{"a", nil, true, 0}, {"a", nil, true, 0}},
		"not about another leaf":            {{"a", []string{"1"}, true, 1}, {"b", []string{"1"}, true, 1}},
		"a pod that comes and goes between": {{"a", []string{"1"}, true, 1}, {"a", []string{"1", "2"}, false, 0}, {"a", []string{"1"}, true, 1}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			var s sweeps
			for i, l := range looks {
				if got := s.add(l.leaf, l.pods, l.clean); got != l.want {
					t.Errorf("look %d: %d in a row, want %d", i, got, l.want)
				}
			}
		})
	}
}

func TestTheListIsBoundedAndBeginsWithTheWorst(t *testing.T) {
	t.Parallel()
	var replicas []Replica
	for i := range 200 {
		r := replica(Current)
		r.Pod = fmt.Sprintf("web-%03d", i)
		replicas = append(replicas, r)
	}
	replicas[150].Endpoints[0].State, replicas[150].Endpoints[0].Serial = Previous, strings.Repeat("f", 1<<16)
	got := Listed(replicas, maxListed)
	if len(got) != maxListed || got[0].Pod != "web-150" || got[1].Pod != "web-000" || len(got[0].Serial) > maxSerial {
		t.Errorf("%d endpoints, first %+v, then %+v", len(got), got[0], got[1])
	}
}
