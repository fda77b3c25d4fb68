package delivery

import (
	"context"
	"fmt"
	"slices"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/inventory"
	"github.com/certwire/certwire/pkg/probe"
)

// Bounds of an object.
const (
	maxListed   = 50
	maxPrevious = 4
	maxNames    = 20
)

// object returns a Certificate's delivery as it was written last, and makes it when there is none. One of a Certificate
// that had the same name before is replaced.
func (r *run) object(ctx context.Context, m *memory, of inventory.Issued) (*v1alpha1.CertificateDelivery, error) {
	r.mu.Lock()
	object := m.object
	r.mu.Unlock()
	if object == nil {
		if cached, ok, err := r.deliveries.GetByKey(of.Namespace + "/" + of.Name); err == nil && ok {
			if d, is := cached.(*v1alpha1.CertificateDelivery); is {
				object = d.DeepCopy()
			}
		}
	}
	if object != nil && !slices.ContainsFunc(object.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == of.UID }) {
		r.remember(m, nil)
		uid := object.UID
		err := r.Client.Delete(ctx, object, client.Preconditions{UID: &uid})
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("removing the delivery of a Certificate that is gone: %w", err)
		}
		object = nil
	}
	if object != nil {
		return object, nil
	}
	object = &v1alpha1.CertificateDelivery{ObjectMeta: metav1.ObjectMeta{
		Namespace: of.Namespace, Name: of.Name,
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: cmapi.SchemeGroupVersion.String(), Kind: cmapi.CertificateKind, Name: of.Name, UID: of.UID, Controller: new(true),
		}},
	}}
	if err := r.Client.Create(ctx, object); err != nil {
		return nil, fmt.Errorf("making the delivery: %w", err)
	}
	object.ManagedFields = nil // as in the cache: the API server keeps its own where an update names none
	r.remember(m, object)
	return object, nil
}

func (r *run) remember(m *memory, object *v1alpha1.CertificateDelivery) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m.object = object
}

// write stores a status that has changed.
func (r *run) write(ctx context.Context, m *memory, object *v1alpha1.CertificateDelivery, status *v1alpha1.CertificateDeliveryStatus) error {
	if equality.Semantic.DeepEqual(&object.Status, status) {
		return nil
	}
	next := object.DeepCopy()
	next.Status = *status
	if err := r.Client.Status().Update(ctx, next); err != nil {
		r.remember(m, nil)
		return fmt.Errorf("writing the delivery: %w", err)
	}
	next.ManagedFields = nil
	r.remember(m, next)
	return nil
}

// begin takes up a leaf that is new.
func (s *sweep) begin() {
	status, leaf := s.status, s.issued.Leaf
	previous := status.Previous
	if status.Leaf != nil {
		previous = append([]string{status.Leaf.Fingerprint}, previous...)
	}
	if s.m.newest != leaf.Fingerprint { // not once more, when it could not be written down
		s.m.newest, s.m.arrived = leaf.Fingerprint, s.Now()
	}
	names := slices.DeleteFunc(slices.Clone(leaf.Names), func(n string) bool { return len(n) > 253 }) // longer than a name can be
	previous = slices.DeleteFunc(previous, func(f string) bool { return f == string(leaf.Fingerprint) })
	*status = v1alpha1.CertificateDeliveryStatus{
		Revision: s.issued.Revision, Conditions: status.Conditions, Previous: previous[:min(len(previous), maxPrevious)],
		Issued: &metav1.Time{Time: s.issued.At}, TakesUp: status.TakesUp,
		Leaf: &v1alpha1.DeliveredLeaf{
			Fingerprint: string(leaf.Fingerprint), Serial: leaf.Serial[:min(len(leaf.Serial), maxSerial)],
			NotBefore: metav1.NewTime(leaf.NotBefore), NotAfter: metav1.NewTime(leaf.NotAfter),
			Names: names[:min(len(names), maxNames)],
		},
	}
	s.m.wait = 0
	clear(s.m.rolled)
}

// leafOf is a stored leaf as probe wants it.
func leafOf(l *v1alpha1.DeliveredLeaf) probe.Leaf {
	return probe.Leaf{
		Fingerprint: probe.Fingerprint(l.Fingerprint), Serial: l.Serial, Names: l.Names, NotBefore: l.NotBefore.Time, NotAfter: l.NotAfter.Time,
	}
}

// record writes a verdict into the status.
func (s *sweep) record(v Verdict) {
	status := s.status
	proven := v.State == v1alpha1.DeliveryDelivered && status.State != v.State
	status.State, status.Cause = v.State, string(v.Cause)
	status.Layer, status.Message = v.Layer, v.Message
	status.Current, status.Total = int32(v.Current), int32(v.Total)
	status.Replicas = fmt.Sprintf("%d/%d", v.Current, v.Total)
	status.Oldest = ""
	if !v.Oldest.IsZero() {
		status.Oldest = v.Oldest.UTC().Format("2006-01-02 15:04 UTC")
	}
	s.listCopies()
	status.Endpoints = Listed(s.replicas, maxListed)
	if proven {
		s.prove()
	}
	s.conditions(v)
}

// prove notes that a delivery is done, and how long it took.
func (s *sweep) prove() {
	if s.status.Verified != nil {
		return // new pods, or a relapse that is over
	}
	s.status.Verified = &metav1.Time{Time: s.Now().Truncate(time.Second)}
	if len(s.status.Previous) == 0 || s.m.clean.IsZero() {
		return // it was there before anybody looked
	}
	lag := max(s.m.clean.Sub(s.came()), 0)
	s.status.Lag = lag.Round(100 * time.Millisecond).String()
	s.Observe(StageAll, lag)
	s.Log.Info("A renewal is on the wire", "namespace", s.key.Namespace, "certificate", s.key.Name, "serial", s.leaf.Serial,
		"replicas", len(s.replicas), "took", lag.String())
}

// came is when the leaf was issued. What cert-manager writes is cut to the second; when the process saw it come is nearer,
// if that was soon.
func (s *sweep) came() time.Time {
	switch latest := s.at.Add(time.Second); {
	case s.m.arrived.After(latest):
		return latest
	case s.m.arrived.After(s.at):
		return s.m.arrived
	default:
		return s.at
	}
}

// conditions follow from the state.
func (s *sweep) conditions(v Verdict) {
	set := func(kind string, status metav1.ConditionStatus, reason, message string) {
		meta.SetStatusCondition(&s.status.Conditions, metav1.Condition{
			Type: kind, Status: status, Reason: reason, Message: message, LastTransitionTime: metav1.NewTime(s.Now().Truncate(time.Second)),
		})
	}
	if v.State == v1alpha1.DeliveryPending {
		reason, issued := "NotIssued", metav1.ConditionFalse
		if v.Cause == NoEvidence {
			reason, issued = "NoEvidence", metav1.ConditionUnknown
		}
		set(v1alpha1.DeliveryConditionIssued, issued, reason, "")
		set(v1alpha1.DeliveryConditionDelivered, metav1.ConditionUnknown, reason, "")
		set(v1alpha1.DeliveryConditionVerified, metav1.ConditionFalse, reason, "")
		return
	}
	set(v1alpha1.DeliveryConditionIssued, metav1.ConditionTrue, "Issued", "")
	replicas := fmt.Sprintf("%d of %d replicas serve the newest certificate", v.Current, v.Total)
	switch {
	case v.Total > 0 && v.Current == v.Total:
		set(v1alpha1.DeliveryConditionDelivered, metav1.ConditionTrue, "Served", replicas)
	case v.State == v1alpha1.DeliveryUnverified:
		set(v1alpha1.DeliveryConditionDelivered, metav1.ConditionUnknown, "Unverified", replicas)
	default:
		set(v1alpha1.DeliveryConditionDelivered, metav1.ConditionFalse, string(v.State), replicas)
	}
	verified := metav1.ConditionFalse
	if v.State == v1alpha1.DeliveryDelivered {
		verified = metav1.ConditionTrue
	}
	set(v1alpha1.DeliveryConditionVerified, verified, string(v.State), string(v.Cause))
}
