package front

import (
	"encoding/base64"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// maxBundle is how much of a caBundle is kept. cert-manager's cainjector writes one or two certificates.
const maxBundle = 256 << 10

// Caller is what is kept of an object that has the API server call a Service: a webhook configuration, an APIService, or a
// CRD with a webhook that converts.
type Caller struct {
	metav1.ObjectMeta
	Kind  string
	Calls []Call
}

// Call is one Service that is called.
type Call struct {
	Namespace, Service string
	Port               uint16
	// Bundle is the caBundle. Empty where the API server trusts its own roots, or nothing is verified.
	Bundle []byte
}

// host is the name that the API server verifies.
func (c Call) host() string { return c.Service + "." + c.Namespace + ".svc" }

// Services are those called, as namespace/name.
func (c *Caller) Services() []string {
	var out []string
	for _, call := range c.Calls {
		out = append(out, call.Namespace+"/"+call.Service)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// call adds one, unless it is there already: most configurations have many webhooks at one place.
func (c *Caller) call(namespace, service string, port *int32, bundle []byte) {
	call := Call{Namespace: namespace, Service: service, Port: 443}
	if port != nil && *port > 0 && *port < 1<<16 {
		call.Port = uint16(*port)
	}
	if len(bundle) <= maxBundle {
		call.Bundle = bundle
	}
	for _, have := range c.Calls {
		if have.Namespace == call.Namespace && have.Service == call.Service && have.Port == call.Port && string(have.Bundle) == string(call.Bundle) {
			return
		}
	}
	c.Calls = append(c.Calls, call)
}

func (c *Caller) webhook(config admissionv1.WebhookClientConfig) {
	if s := config.Service; s != nil { // by URL is not ours to follow
		c.call(s.Namespace, s.Name, s.Port, config.CABundle)
	}
}

func newValidating(v *admissionv1.ValidatingWebhookConfiguration) *Caller {
	kept := &Caller{ObjectMeta: identity(v), Kind: KindValidating}
	for i := range v.Webhooks {
		kept.webhook(v.Webhooks[i].ClientConfig)
	}
	return kept
}

func newMutating(m *admissionv1.MutatingWebhookConfiguration) *Caller {
	kept := &Caller{ObjectMeta: identity(m), Kind: KindMutating}
	for i := range m.Webhooks {
		kept.webhook(m.Webhooks[i].ClientConfig)
	}
	return kept
}

// apiServiceFields are those of apiregistration.k8s.io/v1 that count.
type apiServiceFields struct {
	Spec struct {
		Service *struct {
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
			Port      *int32 `json:"port"`
		} `json:"service"`
		InsecureSkipTLSVerify bool   `json:"insecureSkipTLSVerify"`
		CABundle              string `json:"caBundle"`
	} `json:"spec"`
}

func newAPIService(u *unstructured.Unstructured) *Caller {
	fields := read[apiServiceFields](u)
	kept := &Caller{ObjectMeta: identity(u), Kind: KindAPIService}
	s := fields.Spec.Service
	if s == nil {
		return kept // the API server's own
	}
	bundle, err := base64.StdEncoding.DecodeString(fields.Spec.CABundle)
	if err != nil || fields.Spec.InsecureSkipTLSVerify {
		bundle = nil
	}
	kept.call(s.Namespace, s.Name, s.Port, bundle)
	return kept
}

// callers are those who call the pods that mount the Secret, each with these pods.
func callers(c Cluster, of Certificate) []Front {
	if len(of.Pods) == 0 {
		return nil
	}
	mounts := map[types.UID]bool{}
	var services []string
	for _, p := range of.Pods {
		mounts[p.UID] = true
		services = append(services, servicesOf(c, p)...)
	}
	slices.Sort(services)
	var out []Front
	for _, key := range slices.Compact(services) {
		namespace, name, _ := strings.Cut(key, "/")
		s := c.Service(namespace, name)
		if s == nil {
			continue
		}
		for _, caller := range c.Callers(s.Namespace, s.Name) {
			f := Front{Kind: caller.Kind, Name: caller.Name, Created: caller.CreationTimestamp.Time}
			f.fill(c, caller.ports(s), func(uid types.UID) bool { return mounts[uid] })
			if len(f.Replicas) > 0 { // who is not ready is looked at as one that mounts it
				f.Missing = ""
				out = join(out, f)
			}
			if len(out) == maxFronts {
				return out
			}
		}
	}
	return out
}

// join adds a front; what was found of the same object through another Service goes together with it.
func join(fronts []Front, f Front) []Front {
	at := slices.IndexFunc(fronts, func(have Front) bool { return have.Kind == f.Kind && have.Name == f.Name })
	if at < 0 {
		return append(fronts, f)
	}
	for _, r := range f.Replicas {
		same := slices.IndexFunc(fronts[at].Replicas, func(have Replica) bool { return have.UID == r.UID })
		if same < 0 {
			fronts[at].Replicas = append(fronts[at].Replicas, r)
			continue
		}
		for _, p := range r.Places {
			fronts[at].Replicas[same].add(p)
		}
	}
	slices.SortFunc(fronts[at].Replicas, func(a, b Replica) int { return strings.Compare(a.Namespace+"/"+a.Pod, b.Namespace+"/"+b.Pod) })
	fronts[at].bound()
	return fronts
}

// ports are where a caller calls a Service.
func (c *Caller) ports(s *Service) []port {
	var out []port
	for _, call := range c.Calls {
		if call.Namespace != s.Namespace || call.Service != s.Name || len(out) == maxHosts {
			continue
		}
		for _, p := range s.Ports {
			if p.Port == call.Port {
				out = append(out, port{service: s, ServicePort: p, places: []Place{{ServerName: call.host(), Bundle: call.Bundle}}})
			}
		}
	}
	return out
}

// servicesOf are the Services that send to a pod, as namespace/name.
func servicesOf(c Cluster, p Pod) []string {
	var out []string
	for _, s := range c.SlicesOf(p.Namespace, p.Name) {
		if s.Service != "" && slices.ContainsFunc(s.Endpoints, func(e Endpoint) bool { return e.UID == p.UID }) {
			out = append(out, s.Namespace+"/"+s.Service)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
