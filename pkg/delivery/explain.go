package delivery

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

// The layers on the way from the CA to the wire that a look at who serves can find behind; a delivery names the first.
const (
	LayerPod   = "pod"
	LayerFront = "front"
)

// help says, for each cause, what is wrong with the replica that goes before it in the message, and what helps.
var help = map[Cause]string{
	ReloadMissing:  "it has not taken up the new certificate: give it a method (certwire.dev/method) or a preset; kubectl rollout restart helps now",
	Partial:        "other replicas serve the new one: see what differs; a rollout of its workload helps now",
	WrongSecret:    "it began after the Secret was written, so a restart helps nothing: see what it really mounts",
	RestartFailed:  "it was to restart and has not come back with the new certificate: see its events and logs, or delete it",
	RestartBlocked: "it is to restart, and may not while other replicas are away: see what keeps them from being Ready",
	RestartsInTurn: "it restarts when its turn comes",
	DefaultServed:  "that is what the server makes up when it has none: see its reference to the Secret, and its log",
	ForeignServed:  "that has none of the certificate's names: name the right port in certwire.dev/verify, or see what it is configured with",
	CannotReach:    "no certificate was seen: let certwire's pods in, or name the port in certwire.dev/verify",
	NoTLS:          "something answers, but not with TLS: name the port and its protocol in certwire.dev/verify",
	Unready:        "the pod is not Ready: see its events and logs",
	PortUnknown:    "nobody knows where it serves TLS: name the port in certwire.dev/verify",
	NewerServed:    "that is newer than what cert-manager has issued: see who else writes the Secret",
	NoConsumer:     "no pod refers to the Secret, and no Ingress or Gateway does: is it needed?",
	NotIssued:      "the Certificate was never issued: see kubectl describe certificate",
	NoEvidence:     "the CertificateRequest was removed before it was seen: the next renewal ends this",

	ControllerStale: "the controller has not taken up the Secret: see its log, and whether it may watch Secrets; a restart of the pod helps now",
	CABundle:        "callers do not trust that",
	NoController:    "nobody knows whose pods serve it: annotate its IngressClass with certwire.dev/service: NAMESPACE/NAME, or see its status",
	ShadowedBy:      "that comes before this certificate's: remove one of the two",
}

// frontHelp is help for those who serve for others, where that differs.
var frontHelp = map[Cause]string{
	DefaultServed: "that is what a controller makes up when it has none: see its log, and whether the certificate is for this host",
	ForeignServed: "that has none of the certificate's names: see what the controller is configured with for this host",
	CannotReach:   "no certificate was seen: let certwire's pods in; a controller that wants the PROXY protocol cannot be looked at",
	NoTLS:         "something answers, but not with TLS: see the Service's port 443 and where it leads",
}

// maxMessage is the schema's bound.
const maxMessage = 1024

// isFront reports whether what is wrong with a replica is wrong with who serves for others. A pod that is called and is
// behind is so as the pod that uses the Secret.
func (r *Replica) isFront() bool {
	return r.For != "" && (!r.Called || r.state() == Untrusted)
}

// explain names what is wrong with some replicas: what diverges before what cannot be seen, and pods before those who read
// what is in their Secret themselves.
func (v *Verdict) explain(f Facts, of []*Replica) {
	group := of
	for _, is := range []func(*Replica) bool{
		func(r *Replica) bool { return !r.isFront() && (r.diverges() || r.Failed || r.Blocked || r.Waiting) },
		func(r *Replica) bool { return r.isFront() && r.diverges() },
		func(r *Replica) bool { return !r.isFront() },
	} {
		if these := slices.DeleteFunc(slices.Clone(of), func(r *Replica) bool { return !is(r) }); len(these) > 0 {
			group = these
			break
		}
	}
	var worst *Replica
	if group[0].isFront() {
		v.Layer = LayerFront
		v.Cause, worst = frontCause(group)
	} else {
		v.Layer = LayerPod
		v.Cause, worst = podCause(f, group)
	}
	v.Message = message(f.Namespace, v.Cause, worst)
}

// pending is the verdict while nothing is there to deliver.
func pending(c Cause) Verdict {
	return Verdict{State: v1alpha1.DeliveryPending, Cause: c, Layer: layerIssuance, Message: help[c]}
}

// reason is a cause, and which replicas have it.
type reason struct {
	cause Cause
	has   func(*Replica) bool
}

func in(states ...EndpointState) func(*Replica) bool {
	return func(r *Replica) bool { return slices.Contains(states, r.state()) }
}

// unseen are the reasons why nobody can tell, for pods and fronts alike.
var unseen = []reason{
	{NewerServed, in(Ahead)}, {NoTLS, in(NotTLS)}, {CannotReach, in(Unreachable)}, {Unready, in(NotReady)},
}

// podCause names what is wrong with replicas that use the Secret, the worst of it first, and one that it is wrong with.
func podCause(f Facts, of []*Replica) (Cause, *Replica) {
	behind := in(Previous, Other)
	lagging := ReloadMissing
	if slices.ContainsFunc(f.Replicas, func(r Replica) bool { return r.For == "" && r.state() == Current }) {
		lagging = Partial
	}
	return pick(of, PortUnknown, append([]reason{
		{RestartFailed, func(r *Replica) bool { return r.Failed }},
		{WrongSecret, func(r *Replica) bool { return behind(r) && younger(r.Started, r.written(f.Issued)) }},
		{RestartBlocked, func(r *Replica) bool { return r.Blocked }},
		{RestartsInTurn, func(r *Replica) bool { return r.Waiting }},
		{lagging, behind},
		{DefaultServed, in(Default)},
		{ForeignServed, in(Foreign)},
	}, unseen...))
}

// frontCause names what is wrong with replicas that serve for others.
func frontCause(of []*Replica) (Cause, *Replica) {
	return pick(of, NoController, append([]reason{
		{CABundle, in(Untrusted)},
		{ShadowedBy, func(r *Replica) bool { return r.diverges() && r.worst().Shadow != "" }},
		{DefaultServed, in(Default)},
		{ControllerStale, in(Previous, Other)},
		{ForeignServed, in(Foreign)},
	}, unseen...))
}

// pick returns the first of the reasons that a replica has, and the first such replica by its names.
func pick(of []*Replica, otherwise Cause, reasons []reason) (Cause, *Replica) {
	sorted := slices.SortedFunc(slices.Values(of), func(a, b *Replica) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Pod, b.Pod), strings.Compare(a.For, b.For))
	})
	for _, r := range reasons {
		if at := slices.IndexFunc(sorted, r.has); at >= 0 {
			return r.cause, sorted[at]
		}
	}
	return otherwise, sorted[0]
}

// message is one line about a replica.
func message(namespace string, c Cause, r *Replica) string {
	if r.Namespace != "" {
		namespace = r.Namespace
	}
	subject := "pod " + namespace + "/" + r.Pod
	if r.For != "" {
		subject += ", which serves " + r.For + ","
	}
	if r.Called {
		subject = "pod " + namespace + "/" + r.Pod + ", which " + r.For + " calls,"
	}
	e, text := r.worst(), help[c]
	if other := frontHelp[c]; r.isFront() && other != "" {
		text = other
	}
	if c == RestartBlocked && r.Full != "" {
		text = "it is to restart, and PodDisruptionBudget " + r.Full + " has no room for that: make some, or delete the pod"
	}
	if c == CABundle {
		text = "callers do not trust that, because of the caBundle of " + r.For + ": " + string(e.Distrust)
	}
	switch {
	case r.Missing != "":
		subject, text = r.For, r.Missing+"; "+text
	case c == ShadowedBy:
		subject += " serves serial " + e.Serial[:min(len(e.Serial), maxSerial)] + " at " + e.Port + ", of " + e.Shadow
	case e.Serial != "":
		subject += " serves serial " + e.Serial[:min(len(e.Serial), maxSerial)] + " at " + e.Port
	case e.Cause != "":
		subject += fmt.Sprintf(" at %s (%s)", e.Port, e.Cause)
	case e.Port != "":
		subject += " at " + e.Port
	}
	line := subject + ": " + text
	return line[:min(len(line), maxMessage)]
}
