package reload

import (
	"maps"
	"slices"
	"time"

	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/pkg/reload/spec"
)

// State is where the agent stands with one certificate: a closed set, fit for a metric label.
type State string

// The states of a certificate. The words of what is wrong with the volume are states too.
const (
	// Waiting: the file is not there yet, as with an optional Secret.
	Waiting State = State(wordMissing)
	// Unreadable: the agent may not read the certificate, so it can do nothing for it.
	Unreadable State = State(wordUnreadable)
	// Invalid: the file holds no certificate.
	Invalid State = State(wordInvalid)
	// KeyMismatch: certificate and key do not fit together.
	KeyMismatch State = State(wordKeyMismatch)
	// Temporary: cert-manager's own, until the real one comes.
	Temporary State = State(wordTemporary)
	// Watching: nothing has changed since the server started, as far as is known.
	Watching State = "watching"
	// Pending: a change is being taken up.
	Pending State = "pending"
	// Permit: method restart waits for its turn.
	AwaitingPermit State = "awaiting-permit"
	// Served: a handshake showed the new leaf.
	Served State = "served"
	// Unverified: the method succeeded, but there is nowhere to look.
	Unverified State = "unverified"
	// Stale: a method succeeded, but the server serves something else.
	Stale State = "stale"
	// Failed: no method succeeded.
	Failed State = "failed"
)

// States returns all states, sorted.
func States() []State {
	all := []State{
		Waiting, Unreadable, Invalid, KeyMismatch, Temporary, Watching, Pending, AwaitingPermit, Served, Unverified, Stale, Failed,
	}
	slices.Sort(all)
	return all
}

// Outcome is how one try of a method ended: a closed set, fit for a metric label.
type Outcome string

// The outcomes of a method.
const (
	OutcomeServed     Outcome = "served"
	OutcomeUnverified Outcome = "unverified"
	OutcomeStale      Outcome = "stale"
	OutcomeFailed     Outcome = "failed"
	OutcomeRestart    Outcome = "restart"
)

// Count is the key of a counter.
type Count struct {
	Method  spec.Method
	Outcome Outcome
}

// CertificateStatus is where the agent stands with one certificate.
type CertificateStatus struct {
	Name  string
	State State
	// Cause says more where something is wrong, for a person.
	Cause string
	// Leaf is in the volume now; zero if there is none.
	Leaf probe.Leaf
	// Changed is when this state began.
	Changed time.Time
}

// EndpointStatus is what the last look at an endpoint showed.
type EndpointStatus struct {
	Endpoint string
	Match    probe.Match
	Cause    probe.Cause
}

// Status is a picture of the agent at one moment.
type Status struct {
	Certificates []CertificateStatus
	// Endpoints are those that have a say.
	Endpoints []EndpointStatus
	// Counts are since the agent's start.
	Counts map[Count]int
	// LastServed is when a new leaf was last shown to be served, Took how long that was from the notice of the change.
	LastServed time.Time
	Took       time.Duration
	// Notify says whether inotify works; NotifyProblem why not.
	Notify        bool
	NotifyProblem string
	// Looked is when the volumes were last looked at.
	Looked time.Time
}

// Status returns a picture of the agent. It may be called at any time from anywhere.
func (e *Engine) Status() Status {
	e.lock.Lock()
	defer e.lock.Unlock()
	s := e.status
	s.Certificates = slices.Clone(s.Certificates)
	s.Endpoints = slices.Clone(s.Endpoints)
	s.Counts = maps.Clone(s.Counts)
	return s
}

// publish renews the picture.
func (e *Engine) publish() {
	e.lock.Lock()
	defer e.lock.Unlock()
	s := &e.status
	s.Certificates, s.Endpoints = nil, nil
	for _, t := range e.tracked {
		c := CertificateStatus{Name: t.Name, State: t.state, Cause: t.cause, Changed: t.changed}
		if t.pair != nil {
			c.Leaf = t.pair.leaf
		}
		s.Certificates = append(s.Certificates, c)
	}
	for _, p := range e.endpoints {
		if p.counts() {
			s.Endpoints = append(s.Endpoints, EndpointStatus{p.String(), p.match, p.cause})
		}
	}
	s.Notify, s.NotifyProblem = e.watch.problem == "", e.watch.problem
	s.Looked = e.looked
}

func (e *Engine) count(m spec.Method, o Outcome) {
	e.lock.Lock()
	defer e.lock.Unlock()
	e.status.Counts[Count{m, o}]++
}
