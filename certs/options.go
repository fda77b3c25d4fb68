package certs

import (
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
)

const (
	defaultName         = "certwire"
	defaultCAName       = "certwire-ca"
	defaultCADuration   = 365 * 24 * time.Hour
	defaultLeafDuration = 7 * 24 * time.Hour
	defaultPublishDelay = 10 * time.Second
)

// Options configure a SelfManaged source.
type Options struct {
	// Namespace is certwire's own, where the CA Secret lives. Required.
	Namespace string

	// SecretName of the Secret that holds the CA and its key. It is created when it is missing.
	// Defaults to "certwire-ca".
	SecretName string

	// CommonName of the CA, by which the bundler knows its own CAs: any other one in a caBundle is dropped.
	// Defaults to "certwire-ca".
	CommonName string

	// DNSNames of the leaf: the names by which API servers call, <service>.<namespace>.svc. Required.
	DNSNames []string

	// CADuration is the life of a CA; a third before its end comes the next.
	// Defaults to 365 days.
	CADuration time.Duration

	// LeafDuration is the life of a leaf; a third before its end comes the next. A superseded CA stays published for
	// as long. It must be the same on all replicas, and is at most a third of CADuration.
	// Defaults to 7 days.
	LeafDuration time.Duration

	// PublishDelay is how long a CA must have been seen in every caBundle before a leaf from it is served, and how old
	// a new leaf must be: it covers the lag of the API servers' informers, and of their clocks.
	// Defaults to 10 seconds.
	PublishDelay time.Duration

	// MutatingConfiguration is the name of the MutatingWebhookConfiguration whose caBundles are ours, all of them.
	// One that does not exist is waited for and holds nothing up.
	// Defaults to "certwire".
	MutatingConfiguration string

	// ValidatingConfiguration is the name of the ValidatingWebhookConfiguration, as above.
	// Defaults to "certwire".
	ValidatingConfiguration string

	// RESTConfig reaches the API server. Required: the authority makes its own client.
	RESTConfig *rest.Config

	// Client for everything but the authority.
	// Defaults to one made from RESTConfig.
	Client kubernetes.Interface

	// Clock decides about publication, escapes and pruning. The authority takes its times from the system's clock.
	// Defaults to the system's clock.
	Clock clock.Clock
}

func (o Options) withDefaults() Options {
	or := func(value *string, def string) {
		if *value == "" {
			*value = def
		}
	}
	or(&o.SecretName, defaultCAName)
	or(&o.CommonName, defaultCAName)
	or(&o.MutatingConfiguration, defaultName)
	or(&o.ValidatingConfiguration, defaultName)
	if o.CADuration == 0 {
		o.CADuration = defaultCADuration
	}
	if o.LeafDuration == 0 {
		o.LeafDuration = defaultLeafDuration
	}
	if o.PublishDelay == 0 {
		o.PublishDelay = defaultPublishDelay
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	return o
}

// validate reports every problem of options that have their defaults.
func (o Options) validate() error {
	var problems field.ErrorList
	name := func(path, value string, check func(string) []string) {
		for _, problem := range check(value) {
			problems = append(problems, field.Invalid(field.NewPath(path), value, problem))
		}
	}
	if o.Namespace == "" {
		problems = append(problems, field.Required(field.NewPath("Namespace"), "the namespace that certwire runs in"))
	} else {
		name("Namespace", o.Namespace, validation.IsDNS1123Label)
	}
	name("SecretName", o.SecretName, validation.IsDNS1123Subdomain)
	name("MutatingConfiguration", o.MutatingConfiguration, validation.IsDNS1123Subdomain)
	name("ValidatingConfiguration", o.ValidatingConfiguration, validation.IsDNS1123Subdomain)
	if len(o.DNSNames) == 0 {
		problems = append(problems, field.Required(field.NewPath("DNSNames"), "the names that API servers call"))
	}
	for _, dnsName := range o.DNSNames {
		name("DNSNames", dnsName, validation.IsDNS1123Subdomain)
	}
	if o.RESTConfig == nil {
		problems = append(problems, field.Required(field.NewPath("RESTConfig"), "how to reach the API server"))
	}
	return append(problems, o.validateTimes()...).ToAggregate()
}

// validateTimes holds the durations in the order that a rotation needs: delay, leaf, CA.
func (o Options) validateTimes() (problems field.ErrorList) {
	duration := func(path string, value, limit time.Duration, why string) {
		switch {
		case value <= 0:
			problems = append(problems, field.Invalid(field.NewPath(path), value.String(), "must be more than zero"))
		case limit > 0 && value > limit:
			problems = append(problems, field.Invalid(field.NewPath(path), value.String(), why))
		}
	}
	duration("CADuration", o.CADuration, 0, "")
	duration("LeafDuration", o.LeafDuration, o.CADuration/3,
		"must be at most a third of CADuration, else the CA ends before its last leaf")
	duration("PublishDelay", o.PublishDelay, o.LeafDuration/6,
		"must be at most a sixth of LeafDuration, else a renewed leaf comes too late")
	return problems
}
