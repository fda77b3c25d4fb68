package chain

import "time"

// Leaf is a certificate in short. An empty Serial is one that nobody knows.
type Leaf struct {
	// Fingerprint is the SHA-256 of its DER bytes in hexadecimal; empty where only the serial is known.
	Fingerprint string    `json:"fingerprint,omitempty"`
	Serial      string    `json:"serial,omitempty"`
	NotAfter    time.Time `json:"notAfter,omitzero"`
}

// same compares by fingerprint where both are known: a serial is unique for its issuer alone.
func (l Leaf) same(other Leaf) bool {
	if l.Fingerprint != "" && other.Fingerprint != "" {
		return l.Fingerprint == other.Fingerprint
	}
	return l.Serial != "" && l.Serial == other.Serial
}

// Facts are what is known of one Certificate's way.
type Facts struct {
	Now         time.Time   `json:"now"`
	Namespace   string      `json:"namespace"`
	Certificate Certificate `json:"certificate"`
	Secret      Secret      `json:"secret"`
	Mirrors     []Mirror    `json:"mirrors,omitempty"`
	// MirrorsUnseen is why nobody knows whether there are more; empty when all Secrets were looked at.
	MirrorsUnseen string  `json:"mirrorsUnseen,omitempty"`
	Places        []Place `json:"places,omitempty"`
	// Wire says where the places' states are from, as a sentence.
	Wire string `json:"wire"`
	// UnderWay says that certwire is still bringing the certificate to the pods, and that none has had its time yet.
	UnderWay bool `json:"underWay,omitempty"`
	// Unseen says what could not be read and what is assumed instead, one sentence each.
	Unseen []string `json:"unseen,omitempty"`
}

// Certificate is the Certificate and what was issued for it.
type Certificate struct {
	Name string `json:"name"`
	// Issuer is its kind and name.
	Issuer   string `json:"issuer"`
	Revision int64  `json:"revision,omitempty"`
	// Ready is the status of its condition: True, False, or anything else for unknown.
	Ready string `json:"ready,omitempty"`
	// Message says why it is not Ready, or is being issued and does not come on.
	Message string `json:"message,omitempty"`
	// Renewal is when cert-manager means to renew it.
	Renewal time.Time `json:"renewal,omitzero"`
	// Issued is when the certificate of this revision was.
	Issued time.Time `json:"issued,omitzero"`
	// Leaf is what was issued; empty when nobody knows. From is where that is written.
	Leaf Leaf   `json:"leaf,omitzero"`
	From string `json:"from,omitempty"`
	// Stuck is why the next certificate is not issued.
	Stuck *Stuck `json:"stuck,omitempty"`
}

// Stuck is an issuance that does not come on.
type Stuck struct {
	// Cause is one word of docs/issuance.md.
	Cause   string    `json:"cause"`
	Message string    `json:"message,omitempty"`
	Until   time.Time `json:"until,omitzero"`
}

// Secret is the Certificate's own.
type Secret struct {
	Name string `json:"name"`
	Leaf Leaf   `json:"leaf,omitzero"`
	// Unseen is why it could not be read; empty when it was.
	Unseen string `json:"unseen,omitempty"`
	// Missing says that it is not there, Broken why no certificate could be read from it.
	Missing bool   `json:"missing,omitempty"`
	Broken  string `json:"broken,omitempty"`
}

// Mirror is another Secret that holds a copy.
type Mirror struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Tool is who keeps it: content, reflector, external-secrets and so on.
	Tool string `json:"tool,omitempty"`
	// State is current, previous, foreign or empty.
	State string `json:"state"`
	Leaf  Leaf   `json:"leaf,omitzero"`
	// Remedy is a command that brings it up to date; empty where none is known.
	Remedy string `json:"remedy,omitempty"`
}

// The layers, in the order of the way.
const (
	LayerIssuance = "issuance"
	LayerSecret   = "secret"
	LayerMirror   = "mirror"
	LayerPod      = "pod"
	LayerFront    = "front"
	LayerPublic   = "public"
)

// layers is their order.
var layers = []string{LayerIssuance, LayerSecret, LayerMirror, LayerPod, LayerFront, LayerPublic}

// Place is where something serves the certificate, or should.
type Place struct {
	// Layer is pod, front or public.
	Layer string `json:"layer"`
	// Secret is namespace/name of the mirror that it uses; empty for the Certificate's own.
	Secret string `json:"secret,omitempty"`
	// Namespace and Pod are the pod's, Workload is who replaces it, as in Deployment/web.
	Namespace string `json:"namespace,omitempty"`
	Pod       string `json:"pod,omitempty"`
	Workload  string `json:"workload,omitempty"`
	// ServiceAccount is what a front's pod reads Secrets as.
	ServiceAccount string `json:"serviceAccount,omitempty"`
	// For is what a front serves it for, as in Ingress/web.
	For string `json:"for,omitempty"`
	// Host is a public name.
	Host string `json:"host,omitempty"`
	// Port is as the annotation certwire.dev/verify spells it; empty when nobody knows one.
	Port string `json:"port,omitempty"`
	// State is a word of docs/delivery.md for endpoints, or "unseen" when nobody has looked. Cause is why nothing was seen.
	State string `json:"state"`
	Cause string `json:"cause,omitempty"`
	// Leaf is what was served.
	Leaf Leaf `json:"leaf,omitzero"`
	// Started is when the pod began.
	Started time.Time `json:"started,omitzero"`
	// Guessed says that nobody named the port.
	Guessed bool `json:"guessed,omitempty"`
}

// Unseen is the state of a place that nobody has looked at.
const Unseen = "unseen"
