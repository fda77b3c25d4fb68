package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CertificateDelivery says how far the newest certificate of one cert-manager Certificate has come: which of the pods
// that use its Secret serve it, and why the others do not. certwire makes it, under the Certificate's name and owned by
// it, and writes to its status alone. It has no spec: nothing here is for anybody to set.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName={cd,delivery,deliveries},categories={certwire}
// +kubebuilder:printcolumn:name="CERTIFICATE",type=string,JSONPath=`.metadata.ownerReferences[0].name`
// +kubebuilder:printcolumn:name="STATE",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="SERIAL",type=string,JSONPath=`.status.leaf.serial`
// +kubebuilder:printcolumn:name="REPLICAS",type=string,JSONPath=`.status.replicas`
// +kubebuilder:printcolumn:name="OLDEST",type=string,JSONPath=`.status.oldest`
// +kubebuilder:printcolumn:name="LAG",type=string,JSONPath=`.status.lag`
// +kubebuilder:printcolumn:name="CAUSE",type=string,JSONPath=`.status.cause`,priority=1
// +kubebuilder:printcolumn:name="LAYER",type=string,JSONPath=`.status.layer`,priority=1
// +kubebuilder:printcolumn:name="ISSUANCE",type=string,JSONPath=`.status.issuance.cause`,priority=1
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
type CertificateDelivery struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Status is kept by certwire.
	// +optional
	Status CertificateDeliveryStatus `json:"status,omitempty"`
}

// CertificateDeliveryStatus is what was seen on the wire, as of the last change.
type CertificateDeliveryStatus struct {
	// State is where the delivery stands: Pending (no certificate has been issued, or nobody knows which), Delivering,
	// Delivered, Stale (a replica serves something else), or Unverified (nobody can tell).
	// +kubebuilder:validation:Enum=Pending;Delivering;Delivered;Stale;Unverified
	// +optional
	State DeliveryState `json:"state,omitempty"`
	// Cause is why State is not Delivered, one word of docs/delivery.md.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Cause string `json:"cause,omitempty"`
	// Layer is the first place on the way from the CA to the wire that does not hold Leaf: issuance, secret, mirror, pod, or
	// front (who serves it for others: an Ingress controller, a Gateway). Empty where none is known to be behind.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Layer string `json:"layer,omitempty"`
	// Message says in one line which object is behind, and what helps; empty while Cause is.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`
	// Revision is the Certificate's, of which Leaf is.
	// +optional
	Revision int64 `json:"revision,omitempty"`
	// Leaf is the certificate that is to be served.
	// +optional
	Leaf *DeliveredLeaf `json:"leaf,omitempty"`
	// Previous are the fingerprints of leaves before it, the newest first, at most 4.
	// +kubebuilder:validation:MaxItems=4
	// +kubebuilder:validation:items:MaxLength=64
	// +listType=atomic
	// +optional
	Previous []string `json:"previous,omitempty"`
	// Issued is when Leaf was issued, which is less than a second before its Secret is written.
	// +optional
	Issued *metav1.Time `json:"issued,omitempty"`
	// Verified is when it was proven that every replica serves Leaf: two sweeps in a row, over the same pods, saw nothing
	// else. Empty while that has not been.
	// +optional
	Verified *metav1.Time `json:"verified,omitempty"`
	// Lag is how long it took from the issuance until every replica served Leaf, as in 1.2s; empty while Verified is,
	// and for a certificate that was on the wire before certwire looked.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Lag string `json:"lag,omitempty"`
	// Current is how many replicas serve Leaf, and Total how many there are.
	// +optional
	Current int32 `json:"current"`
	// +optional
	Total int32 `json:"total"`
	// Replicas is both, as in 3/3.
	// +kubebuilder:validation:MaxLength=24
	// +optional
	Replicas string `json:"replicas,omitempty"`
	// Oldest is when the oldest certificate that a replica serves ends, in UTC.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Oldest string `json:"oldest,omitempty"`
	// Issuance says why the next certificate is not issued; empty while nothing is in its way.
	// +optional
	Issuance *DeliveryIssuance `json:"issuance,omitempty"`
	// Mirrors are other Secrets that hold a copy of the Certificate's, at most 20; those that are behind come first. Only
	// where certwire may read Secrets (the component mirrors).
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	// +optional
	Mirrors []DeliveryMirror `json:"mirrors,omitempty"`
	// TakesUp are workloads that were seen to take up a certificate by themselves, as in Deployment/web, at most 20.
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=300
	// +listType=atomic
	// +optional
	TakesUp []string `json:"takesUp,omitempty"`
	// Rollouts are the workloads that certwire has had rolled out for Leaf, each once; at most 20.
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	// +optional
	Rollouts []DeliveryRollout `json:"rollouts,omitempty"`
	// Endpoints are the places that were looked at, at most 50; those that do not serve Leaf come first.
	// +kubebuilder:validation:MaxItems=50
	// +listType=atomic
	// +optional
	Endpoints []DeliveryEndpoint `json:"endpoints,omitempty"`
	// Conditions: Issued (it is known what is to be served), Delivered (the last sweep saw every replica serve it),
	// Verified (two sweeps did).
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// DeliveryState is where a delivery stands.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryPending    DeliveryState = "Pending"
	DeliveryDelivering DeliveryState = "Delivering"
	DeliveryDelivered  DeliveryState = "Delivered"
	DeliveryStale      DeliveryState = "Stale"
	DeliveryUnverified DeliveryState = "Unverified"
)

// The types of a delivery's conditions.
const (
	DeliveryConditionIssued    = "Issued"
	DeliveryConditionDelivered = "Delivered"
	DeliveryConditionVerified  = "Verified"
)

// DeliveredLeaf is a certificate in short.
type DeliveredLeaf struct {
	// Fingerprint is the SHA-256 of its DER bytes, in lower-case hexadecimal.
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{64}$`
	Fingerprint string `json:"fingerprint"`
	// Serial is its serial number in lower-case hexadecimal, without leading zeros.
	// +kubebuilder:validation:MaxLength=64
	Serial string `json:"serial"`
	// NotBefore and NotAfter are its validity.
	NotBefore metav1.Time `json:"notBefore"`
	NotAfter  metav1.Time `json:"notAfter"`
	// Names are the first of its names, at most 20.
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=atomic
	// +optional
	Names []string `json:"names,omitempty"`
}

// DeliveryEndpoint is one place that was looked at.
type DeliveryEndpoint struct {
	// Pod is the pod's name.
	// +kubebuilder:validation:MaxLength=253
	Pod string `json:"pod"`
	// Namespace is the pod's, where that is not the delivery's.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// For is what the pod serves it for, where it does not use the Secret itself: Ingress/web, Gateway/edge/public (in another
	// namespace), or whoever calls it: ValidatingWebhookConfiguration/checks.
	// +kubebuilder:validation:MaxLength=350
	// +optional
	For string `json:"for,omitempty"`
	// Port is where it was dialled, as the annotation certwire.dev/verify spells it; empty when there was nothing to dial.
	// +kubebuilder:validation:MaxLength=300
	// +optional
	Port string `json:"port,omitempty"`
	// State is what was seen there: current, previous, other, ahead, default, foreign, untrusted, unreachable, not-tls,
	// not-ready or no-port.
	// +kubebuilder:validation:MaxLength=32
	State string `json:"state"`
	// Cause is why nothing was seen: refused, timeout, reset and so on.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Cause string `json:"cause,omitempty"`
	// Serial of what was served, in hexadecimal.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Serial string `json:"serial,omitempty"`
}

// DeliveryIssuance is why a certificate is not issued.
type DeliveryIssuance struct {
	// Cause is one word of docs/issuance.md.
	// +kubebuilder:validation:MaxLength=64
	Cause string `json:"cause"`
	// Message says what is in the way, and what helps, in one line.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`
	// Until is when it is tried again, where that is known.
	// +optional
	Until *metav1.Time `json:"until,omitempty"`
}

// DeliveryMirror is another Secret that holds, or held, a copy.
type DeliveryMirror struct {
	// Namespace and Name are the copy's.
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Tool is who keeps it, as far as its marks tell: reflector, replicator, config-syncer, kyverno, external-secrets,
	// sealed-secrets, or content (nobody who leaves marks, but it holds, or held, the same certificate).
	// +kubebuilder:validation:MaxLength=32
	Tool string `json:"tool"`
	// State is what it holds: current, previous, foreign (another certificate), or empty (none).
	// +kubebuilder:validation:MaxLength=32
	State string `json:"state"`
	// Serial of what it holds, in hexadecimal.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Serial string `json:"serial,omitempty"`
}

// DeliveryRollout is a workload that was rolled out, as kubectl rollout restart does it.
type DeliveryRollout struct {
	// Workload is its kind and name.
	// +kubebuilder:validation:MaxLength=300
	Workload string `json:"workload"`
	// At is when.
	At metav1.Time `json:"at"`
}

// CertificateDeliveryList is a list of deliveries.
//
// +kubebuilder:object:root=true
type CertificateDeliveryList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []CertificateDelivery `json:"items"`
}
