package delivery

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/front"
	"github.com/certwire/certwire/pkg/probe"
)

// EndpointState is what one look at one place showed: a closed set, fit for a metric label.
type EndpointState string

// The states of an endpoint.
const (
	Current     EndpointState = "current"     // the leaf that is to be served
	Previous    EndpointState = "previous"    // one before it
	Other       EndpointState = "other"       // another one with some of the names
	Ahead       EndpointState = "ahead"       // a newer one than is known of
	Default     EndpointState = "default"     // what a server makes up when it has none
	Foreign     EndpointState = "foreign"     // one with none of the names
	Untrusted   EndpointState = "untrusted"   // one that its callers' caBundle does not fit
	Unreachable EndpointState = "unreachable" // no certificate was seen
	NotTLS      EndpointState = "not-tls"     // it answers, but not with TLS
	NotReady    EndpointState = "not-ready"   // the pod is not Ready, so it was not dialled
	NoPort      EndpointState = "no-port"     // nobody knows where the pod serves TLS
)

// EndpointStates returns all of them.
func EndpointStates() []EndpointState {
	return []EndpointState{Current, Previous, Other, Ahead, Default, Foreign, Untrusted, Unreachable, NotTLS, NotReady, NoPort}
}

// Cause is why a delivery is not done: a closed set.
type Cause string

// The causes. Where all replicas are in the same state, that is the cause; these are the others.
const (
	ReloadMissing  Cause = "reload-missing"      // replicas that are older than the Secret serve what was before
	WrongSecret    Cause = "wrong-secret"        // replicas that are younger than the Secret do: a restart helps nothing
	Partial        Cause = "partial"             // some serve the new leaf, and some do not
	DefaultServed  Cause = "default-certificate" // the reference to the Secret is broken
	ForeignServed  Cause = "foreign"
	CannotReach    Cause = "unreachable"
	NoTLS          Cause = "not-tls"
	Unready        Cause = "not-ready"
	PortUnknown    Cause = "no-port"
	NewerServed    Cause = "ahead"
	NoConsumer     Cause = "no-consumer"     // no pod uses the Secret, as far as is known
	NotIssued      Cause = "not-issued"      // the Certificate was never issued
	NoEvidence     Cause = "no-evidence"     // nobody knows any more what was issued
	RestartFailed  Cause = "restart-failed"  // a replica did not come back with the new leaf, so no other restarts
	RestartsInTurn Cause = "restart-in-turn" // replicas restart one after the other
	RestartBlocked Cause = "restart-blocked" // replicas that are away, or a PodDisruptionBudget, leave no room for a restart

	ControllerStale Cause = "controller-stale" // who serves it for an Ingress or a Gateway serves what was before
	CABundle        Cause = "ca-bundle"        // callers do not trust what is served
	NoController    Cause = "no-controller"    // nobody knows who serves it
	ShadowedBy      Cause = "shadowed"         // another object has another certificate for the same names, and comes first
)

// Confirmations is how many sweeps in a row have to be clean until a delivery is proven.
const Confirmations = 2

// grace is how much younger than the Secret a pod has to be until it must have begun with its content: the kubelet may be
// that far behind.
const grace = 10 * time.Second

// Endpoint is one place of a replica and what was seen there.
type Endpoint struct {
	// Port is as the annotation spells it.
	Port  string
	State EndpointState
	// Cause is why there was nothing to see.
	Cause probe.Cause
	// Serial, NotBefore and NotAfter are of what was served.
	Serial              string
	NotBefore, NotAfter time.Time
	// Guessed says that nobody named the port.
	Guessed bool
	// Shadow is the object that what was served belongs to, as in Certificate shop/old; empty where none is known.
	Shadow string
	// Distrust is why callers do not take it.
	Distrust front.Distrust
}

// Replica is one pod that uses the Secret, or that serves it for others, and what was seen of it. It has at least one
// endpoint.
type Replica struct {
	// Namespace is the pod's, where that is not the delivery's.
	Namespace, Pod string
	// For is what the pod serves it for, empty for one that uses the Secret itself. Called says that For is who calls the
	// pod, which uses the Secret. Missing says why For has no pods; Pod is empty then.
	For     string
	Called  bool
	Missing string

	Endpoints []Endpoint
	// Started is when the pod began.
	Started time.Time
	// Blind is since when no look has shown a certificate; zero when the last one did.
	Blind time.Time
	// Patience is what the server is known to take, 0 for what is usual.
	Patience time.Duration
	// Reached is since when the copy of the Secret that it uses has held the leaf; zero where it uses the Secret itself.
	Reached time.Time
	// Waiting says that it restarts when its turn comes, Failed that it should have come back by now, and Blocked that its turn
	// has not come for too long: others are away, or the PodDisruptionBudget Full has no room.
	Waiting, Failed, Blocked bool
	Full                     string
	// Late is set by the assessment: it has had its time.
	Late bool

	key    string // the pod's UID and For
	copied bool   // it comes to the certificate by a copy of the Secret
}

// Facts are what is known at one sweep.
type Facts struct {
	// Namespace is the delivery's.
	Namespace string
	// Issued is when the leaf was, in whole seconds.
	Issued time.Time
	Now    time.Time
	// Deadline is how long a replica may take.
	Deadline time.Duration
	// Before is the state in which the leaf was at the last sweep; empty for a new one.
	Before v1alpha1.DeliveryState
	// Clean is how many sweeps in a row, this one included, saw the same pods and nothing but the leaf.
	Clean    int
	Replicas []Replica
}

// Verdict is what follows.
type Verdict struct {
	State v1alpha1.DeliveryState
	// Cause is empty for what is delivered.
	Cause Cause
	// Layer is where the cause is, and Message one line that names the worst replica and what helps; at most 1024 bytes, and
	// the same as long as what was seen is. Both are empty while Cause is.
	Layer, Message string
	// Current is how many of Total replicas serve the leaf at all of their endpoints.
	Current, Total int
	// Oldest is when the oldest certificate ends that is served, and OldestFrom when it began; zero when none was seen.
	Oldest, OldestFrom time.Time
	// Diverged is since when a replica has served something else than the leaf; zero when none does.
	Diverged time.Time
	// Early says that a replica is wrong, waits for nobody, and has not had its time: it is to be looked at soon.
	Early bool
	// Counts are the endpoints by state.
	Counts map[EndpointState]int
}

// Assess says where a delivery stands, and why. A replica has the deadline for every way in which it can be wrong, and
// until then a delivery keeps the state that it had: what was proven stays so while new pods start, and what is stale
// stays so until the opposite is proven.
func Assess(f Facts) Verdict {
	v := Verdict{Total: len(f.Replicas), Counts: map[EndpointState]int{}}
	wrong, late := v.sum(f)
	switch {
	case v.Total == 0:
		v.State, v.Cause, v.Layer, v.Message = v1alpha1.DeliveryUnverified, NoConsumer, LayerPod, help[NoConsumer]
	case len(late) > 0:
		v.State = v1alpha1.DeliveryUnverified
		v.explain(f, late)
		if slices.ContainsFunc(late, func(r *Replica) bool { return r.diverges() || r.Failed }) {
			v.State = v1alpha1.DeliveryStale
		}
	case f.Before == v1alpha1.DeliveryDelivered, len(wrong) == 0 && f.Clean >= Confirmations:
		v.State = v1alpha1.DeliveryDelivered
	case len(wrong) == 0:
		v.State = v1alpha1.DeliveryDelivering
	default:
		v.State = v1alpha1.DeliveryDelivering
		v.explain(f, wrong)
		if f.Before == v1alpha1.DeliveryStale || f.Before == v1alpha1.DeliveryUnverified {
			v.State = f.Before
		}
	}
	return v
}

// sum adds up the replicas. It returns those that do not serve the leaf, and of these those that have had their time.
func (v *Verdict) sum(f Facts) (wrong, late []*Replica) {
	for i := range f.Replicas {
		r := &f.Replicas[i]
		v.count(r)
		if r.state() == Current {
			v.Current++
			continue
		}
		wrong = append(wrong, r)
		since := r.wrongSince(f.Issued)
		if r.diverges() && (v.Diverged.IsZero() || since.Before(v.Diverged)) {
			v.Diverged = since
		}
		if r.Failed || (!r.Waiting && f.Now.Sub(since) >= max(f.Deadline, r.Patience)) {
			r.Late = true
			late = append(late, r)
		} else if !r.Waiting {
			v.Early = true
		}
	}
	return wrong, late
}

func (v *Verdict) count(r *Replica) {
	for _, e := range r.Endpoints {
		v.Counts[e.State]++
		if e.State == Foreign && e.Guessed {
			continue // another certificate of the pod's own, maybe
		}
		if !e.NotAfter.IsZero() && (v.Oldest.IsZero() || e.NotAfter.Before(v.Oldest)) {
			v.Oldest, v.OldestFrom = e.NotAfter, e.NotBefore
		}
	}
}

// severity orders the states: what is worst at one of its endpoints is a replica's.
var severity = []EndpointState{Previous, Other, Untrusted, Default, Foreign, Ahead, NotTLS, Unreachable, NotReady, NoPort, Current}

// state is the replica's worst endpoint's.
func (r *Replica) state() EndpointState { return r.worst().State }

func (r *Replica) worst() Endpoint {
	if len(r.Endpoints) == 0 {
		return Endpoint{State: NoPort}
	}
	return slices.MinFunc(r.Endpoints, func(a, b Endpoint) int {
		return cmp.Compare(slices.Index(severity, a.State), slices.Index(severity, b.State))
	})
}

// diverges reports that the replica serves something else than the leaf. What a port shows that nobody has named may be
// another certificate of the pod's own, and proves nothing.
func (r *Replica) diverges() bool {
	e := r.worst()
	switch e.State {
	case Previous, Other, Untrusted, Default:
		return true
	case Foreign:
		return !e.Guessed
	default:
		return false
	}
}

// wrongSince is the time from which on the replica should have served the leaf.
func (r *Replica) wrongSince(issued time.Time) time.Time {
	since := r.written(issued)
	if r.Started.After(since) {
		since = r.Started
	}
	if !r.diverges() && r.Blind.After(since) {
		since = r.Blind
	}
	return since
}

// written is when the Secret that the replica uses was, or a copy of it.
func (r *Replica) written(issued time.Time) time.Time {
	if r.Reached.After(issued) {
		return r.Reached
	}
	return issued
}

// younger reports whether a pod that began at one time must have begun with a Secret that was written at another.
func younger(started, written time.Time) bool { return started.After(written.Add(grace)) }

// maxSerial is how much of a serial number is written down, in hexadecimal digits. RFC 5280 section 4.1.2.2 allows 40; a
// server can send any.
const maxSerial = 64

// Listed returns the endpoints of all replicas for people, at most so many: the worst first, and then by pod, purpose and port.
func Listed(replicas []Replica, most int) []v1alpha1.DeliveryEndpoint {
	out := []v1alpha1.DeliveryEndpoint{}
	for i := range replicas {
		for _, e := range replicas[i].Endpoints {
			out = append(out, v1alpha1.DeliveryEndpoint{
				Pod: replicas[i].Pod, Namespace: replicas[i].Namespace, For: replicas[i].For, Port: e.Port, State: string(e.State), Cause: string(e.Cause), Serial: e.Serial[:min(len(e.Serial), maxSerial)],
			})
		}
	}
	slices.SortFunc(out, func(a, b v1alpha1.DeliveryEndpoint) int {
		return cmp.Or(
			cmp.Compare(slices.Index(severity, EndpointState(a.State)), slices.Index(severity, EndpointState(b.State))),
			strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Pod, b.Pod), strings.Compare(a.For, b.For), strings.Compare(a.Port, b.Port))
	})
	return out[:min(len(out), most)]
}

// sweeps counts how many were clean in a row.
type sweeps struct {
	clean       int
	fingerprint probe.Fingerprint
	pods        []string // and what they serve for
}

// add notes a sweep and returns how many in a row were clean, this one included: about one leaf, and over the same pods
// by their UIDs, since a new pod may have an old one's name or address.
func (s *sweeps) add(fingerprint probe.Fingerprint, uids []string, clean bool) int {
	uids = slices.Sorted(slices.Values(uids))
	if !clean || len(uids) == 0 || fingerprint != s.fingerprint || !slices.Equal(uids, s.pods) {
		s.clean = 0
	}
	s.fingerprint, s.pods = fingerprint, uids
	if clean && len(uids) > 0 {
		s.clean++
	}
	return s.clean
}
