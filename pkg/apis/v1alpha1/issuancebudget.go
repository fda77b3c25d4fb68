package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// IssuanceBudget is what is left of an ACME CA's rate limits for one registered domain, or for one account. certwire
// makes it when the first certificate is ordered, counts in its status what this cluster orders, and removes it when
// there is nothing left to remember. What its owner writes into the spec stays.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName={ib,budget,budgets},categories={certwire}
// +kubebuilder:selectablefield:JSONPath=`.spec.ca`
// +kubebuilder:selectablefield:JSONPath=`.spec.domain`
// +kubebuilder:selectablefield:JSONPath=`.spec.account`
// +kubebuilder:printcolumn:name="CA",type=string,JSONPath=`.spec.ca`
// +kubebuilder:printcolumn:name="DOMAIN",type=string,JSONPath=`.status.subject`
// +kubebuilder:printcolumn:name="BUCKET",type=string,JSONPath=`.status.bucket`
// +kubebuilder:printcolumn:name="USED",type=integer,JSONPath=`.status.used`
// +kubebuilder:printcolumn:name="LIMIT",type=integer,JSONPath=`.status.limit`
// +kubebuilder:printcolumn:name="NEXT",type=string,JSONPath=`.status.next`
// +kubebuilder:printcolumn:name="TOP CONSUMER",type=string,JSONPath=`.status.topConsumer`
// +kubebuilder:printcolumn:name="IN FLIGHT",type=integer,JSONPath=`.status.inFlight`,priority=1
// +kubebuilder:printcolumn:name="SETS",type=integer,JSONPath=`.status.sets`,priority=1
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
type IssuanceBudget struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec says what is counted, and holds what an owner sets.
	Spec IssuanceBudgetSpec `json:"spec"`
	// Status is kept by certwire.
	// +optional
	Status IssuanceBudgetStatus `json:"status,omitempty"`
}

// IssuanceBudgetSpec says what is counted, and holds what an owner sets.
//
// +kubebuilder:validation:XValidation:rule="has(self.domain) != has(self.account)",message="exactly one of domain and account"
// +kubebuilder:validation:XValidation:rule="has(self.domain) == has(oldSelf.domain)",message="a domain's budget cannot become an account's"
type IssuanceBudgetSpec struct {
	// CA is the host of the CA's ACME directory, as in acme-v02.api.letsencrypt.org.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=260
	// +kubebuilder:validation:Pattern=`^[a-z0-9.:\[\]-]+$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="the CA of a budget cannot change"
	CA string `json:"ca"`
	// Domain is the registered domain that the CA counts by (example.com, example.co.uk, user.github.io), or the prefix
	// of an IP address (203.0.113.7/32).
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="the domain of a budget cannot change"
	// +optional
	Domain string `json:"domain,omitempty"`
	// Account is the URL of the ACME account, as in an issuer's status.acme.uri.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="the account of a budget cannot change"
	// +optional
	Account string `json:"account,omitempty"`
	// Limit is the limit that the CA has granted in place of its usual one: certificates of the registered domain, or new
	// orders of the account.
	// +optional
	Limit *GrantedLimit `json:"limit,omitempty"`
	// Share is the percentage of the limit that is this cluster's, where several clusters or other clients order for the
	// same domain or account. It does not divide the limit of a single set of names, which is too small for that.
	// Defaults to 100.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +optional
	Share *int32 `json:"share,omitempty"`
	// Reserve is how many certificates of each bucket are kept for due renewals: other orders are refused when no more
	// than this is left. Of a small bucket, such as that of a set of names, one certificate is never kept. Defaults to 0.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10000
	// +optional
	Reserve *int32 `json:"reserve,omitempty"`
}

// GrantedLimit is a limit that a CA has granted.
type GrantedLimit struct {
	// Count is how many are allowed in each period.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000000
	Count int64 `json:"count"`
	// Period is the time in which an empty budget is full again, as in 168h.
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('8784h')",message="between 1s and 8784h (a year)"
	Period metav1.Duration `json:"period"`
}

// IssuanceBudgetStatus is what this cluster has used.
type IssuanceBudgetStatus struct {
	// Subject is the registered domain, or "account" and the end of its URL.
	// +optional
	Subject string `json:"subject,omitempty"`
	// Bucket is the limit that is used up most: certificates-per-domain, certificates-per-set, new-orders or
	// failed-authorizations. The next three fields are about it.
	// +optional
	Bucket string `json:"bucket,omitempty"`
	// Used is how much of the limit is not there now, as of the last write.
	// +optional
	Used int64 `json:"used"`
	// Limit is how much there is in a full bucket.
	// +optional
	Limit int64 `json:"limit"`
	// Next is when the next order is possible, in UTC; empty while one is possible now.
	// +optional
	Next string `json:"next,omitempty"`
	// TopConsumer has ordered most of what Recent holds: namespace/Certificate and how many.
	// +optional
	TopConsumer string `json:"topConsumer,omitempty"`
	// InFlight is how many orders have been let through and are not finished.
	// +optional
	InFlight int32 `json:"inFlight,omitempty"`
	// Sets is how many sets of names are remembered.
	// +optional
	Sets int32 `json:"sets,omitempty"`
	// Fullest are the buckets that are used up most, at most 20.
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	// +optional
	Fullest []Bucket `json:"fullest,omitempty"`
	// Recent are the latest orders that were counted, newest first, at most 60.
	// +kubebuilder:validation:MaxItems=60
	// +listType=atomic
	// +optional
	Recent []CountedOrder `json:"recent,omitempty"`
	// State is what is counted by: the exact buckets, the sets of names that were issued, and the orders that were
	// counted, in the packed form that docs/budgets.md describes.
	// +kubebuilder:validation:MaxLength=1400000
	// +optional
	State []byte `json:"state,omitempty"`
	// Conditions: Healthy is False when State could not be read and was rebuilt from what the cluster still had.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Bucket is one limit as it stands.
type Bucket struct {
	// Limit is the limit's name.
	// +kubebuilder:validation:MaxLength=64
	Limit string `json:"limit"`
	// Of is what it is for: the domain, the first names of a set, or an identifier.
	// +kubebuilder:validation:MaxLength=600
	Of string `json:"of"`
	// Used is how much of it was not there at the last write.
	Used int64 `json:"used"`
	// Count is how much there is in a full bucket.
	Count int64 `json:"count"`
	// Next is when the next order is possible, in UTC; empty while one is possible now.
	// +optional
	Next string `json:"next,omitempty"`
}

// CountedOrder is an order that was counted.
type CountedOrder struct {
	// Time is when the CA issued.
	Time metav1.Time `json:"time"`
	// Namespace of the Order.
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`
	// Certificate that it was for; empty for a request that no Certificate made.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Certificate string `json:"certificate,omitempty"`
	// Names are the first of the names, with how many more there are.
	// +kubebuilder:validation:MaxLength=600
	Names string `json:"names"`
	// Set identifies the set of names: the first 24 hex digits of the CA's own key for it.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Set string `json:"set,omitempty"`
	// Renewal is true when the CA does not count it against the domain or the account.
	// +optional
	Renewal bool `json:"renewal,omitempty"`
}

// IssuanceBudgetList is a list of budgets.
//
// +kubebuilder:object:root=true
type IssuanceBudgetList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []IssuanceBudget `json:"items"`
}
