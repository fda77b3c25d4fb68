package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/inventory"
)

// restartedAt is what kubectl rollout restart writes to a pod template (kubernetes staging/src/k8s.io/kubectl
// pkg/polymorphichelpers/objectrestarter.go).
const restartedAt = "kubectl.kubernetes.io/restartedAt"

// uses is what was seen of the pods that use the Secret, for what is decided of their workloads.
func (s *sweep) uses() []use {
	pods := s.ownPods()
	out := make([]use, 0, len(pods))
	for _, p := range pods {
		r := s.byUID[p.UID]
		if r == nil {
			continue
		}
		state := r.state()
		out = append(out, use{
			workload: p.Workload, older: !younger(p.Started, s.at) && !p.Started.IsZero(), running: !p.Began.IsZero() && p.Began.Before(s.at),
			stale: state == Previous || state == Other, late: r.Late, current: state == Current,
			alone: len(p.Methods) == 0 && slices.Contains(p.Fresh, s.issued.Secret),
		})
	}
	return out
}

// notice writes down which workloads need nobody.
func (s *sweep) notice(v Verdict) {
	if len(s.status.Previous) == 0 {
		return // no renewal yet
	}
	known := s.status.TakesUp
	if v.State != v1alpha1.DeliveryDelivered || v.Current != v.Total {
		s.status.TakesUp = takers(known, slices.DeleteFunc(s.uses(), func(u use) bool { return !u.late })) // only what is wrong is certain
		return
	}
	s.status.TakesUp = takers(known, s.uses())
	for _, workload := range s.status.TakesUp {
		if !slices.Contains(known, workload) {
			s.Log.Info("A workload takes up certificates by itself", "namespace", s.key.Namespace, "workload", workload, "certificate", s.key.Name)
		}
	}
}

// plan writes down which workloads are to be rolled out. That is stored before anything is done, so that no change of leader
// makes it twice.
func (s *sweep) plan(v Verdict) {
	if v.State != v1alpha1.DeliveryStale || !s.Rollouts {
		return
	}
	allowed := slices.DeleteFunc(helpless(s.uses()), func(workload string) bool { return !rollable(workload) || !s.mayRollOut(workload) })
	s.status.Rollouts = withRollouts(s.status.Rollouts, allowed, s.Now())
}

// mayRollOut reports whether the owner allows it, and it would do anything.
func (s *sweep) mayRollOut(workload string) bool {
	w := s.workload(workload)
	if w == nil || !w.Escalates() {
		return false
	}
	yes, why := w.RollsOut()
	if !yes {
		s.tell("no rollout "+workload+string(s.leaf.Fingerprint), "RolloutSkipped", fmt.Sprintf(
			"%s serves an old certificate and may be rolled out, but %s", workload, why))
	}
	return yes
}

func (s *sweep) workload(name string) *inventory.Workload {
	kind, name, _ := strings.Cut(name, "/")
	return s.Cluster.Workload(inventory.WorkloadKey{Kind: kind, Namespace: s.key.Namespace, Name: name})
}

// rollOut carries out what is planned and stored. What another leader may have done already is done once more while it is
// new: the time in it is the stored one, so nothing changes. Pods that began since show that it was done.
func (s *sweep) rollOut(ctx context.Context) error {
	var trouble []error
	for _, r := range s.status.Rollouts {
		done := r.Workload + string(s.leaf.Fingerprint)
		if s.m.rolled[done] || s.Now().Sub(r.At.Time) >= s.Deadline || slices.ContainsFunc(s.ownPods(), func(p *Pod) bool {
			return p.Workload == r.Workload && p.Started.After(r.At.Time)
		}) {
			continue
		}
		if err := s.restart(ctx, r); err != nil {
			s.Rolled(RolloutFailed)
			trouble = append(trouble, err)
			continue
		}
		s.m.rolled[done] = true
		s.m.wait = 0
		s.Rolled(RolloutDone)
		s.Log.Info("A workload is rolled out to take up its certificate", "namespace", s.key.Namespace, "workload", r.Workload, "certificate", s.key.Name)
		s.tell("rollout "+done, "RolledOut", fmt.Sprintf(
			"%s went on serving an old certificate and is rolled out, once for serial %s", r.Workload, s.leaf.Serial))
	}
	return errors.Join(trouble...)
}

// restart changes a pod template as kubectl rollout restart does. A workload that is gone is no error.
func (s *sweep) restart(ctx context.Context, r v1alpha1.DeliveryRollout) error {
	kind, name, _ := strings.Cut(r.Workload, "/")
	w := s.workload(r.Workload)
	if w == nil {
		return nil
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": w.UID}, // not a successor of the same name
		"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": map[string]string{
			restartedAt: r.At.UTC().Format(time.RFC3339),
		}}}},
	})
	if err != nil {
		return fmt.Errorf("building the rollout: %w", err)
	}
	meta := metav1.ObjectMeta{Namespace: s.key.Namespace, Name: name}
	var object client.Object
	switch kind {
	case "Deployment":
		object = &appsv1.Deployment{ObjectMeta: meta}
	case "StatefulSet":
		object = &appsv1.StatefulSet{ObjectMeta: meta}
	default:
		object = &appsv1.DaemonSet{ObjectMeta: meta}
	}
	if err := s.limiter.Wait(ctx); err != nil {
		return err
	}
	if err := s.Client.Patch(ctx, object, client.RawPatch(types.MergePatchType, patch)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("rolling out %s: %w", r.Workload, err)
	}
	return nil
}
