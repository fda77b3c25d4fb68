package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/front"
)

// bySecret indexes pods under namespace/Secret.
const bySecret = "secret"

var podIndexers = toolscache.Indexers{
	bySecret: func(object any) ([]string, error) {
		p, ok := object.(*Pod)
		if !ok {
			return nil, nil
		}
		keys := make([]string, 0, len(p.Secrets))
		for _, secret := range p.Secrets {
			keys = append(keys, p.Namespace+"/"+secret)
		}
		return keys, nil
	},
}

// strip runs on every object before it enters the cache. A pod that is of no interest stays as its name and addresses.
func strip(object any) (any, error) {
	if p, ok := object.(*corev1.Pod); ok {
		if kept := NewPod(p); kept != nil {
			return kept, nil
		}
		return stranger(p), nil
	}
	if kept := front.New(object); kept != nil {
		return kept, nil
	}
	if b, ok := object.(*policyv1.PodDisruptionBudget); ok {
		return stripDisruptions(b), nil
	}
	if m, err := meta.Accessor(object); err == nil {
		m.SetManagedFields(nil)
	}
	return object, nil
}

// again is how long to wait before an API server, or a CRD, that is not there is asked for once more.
const again = 2 * time.Second

// open fills the caches; false when the context ended first.
func (r *run) open(ctx context.Context) bool {
	last := ""
	for {
		err := r.fill(ctx)
		switch {
		case err == nil:
			return true
		case ctx.Err() != nil:
			return false
		case err.Error() != last: // once for each cause, not at every attempt
			last = err.Error()
			r.Log.Error(err, "Pods and deliveries cannot be watched yet, trying again", "every", again.String())
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(again):
		}
	}
}

func (r *run) fill(ctx context.Context) error {
	// Pods that have ended serve nothing.
	running := fields.AndSelectors(
		fields.OneTermNotEqualSelector("status.phase", string(corev1.PodSucceeded)),
		fields.OneTermNotEqualSelector("status.phase", string(corev1.PodFailed)))
	own, err := cache.New(r.Rest, cache.Options{
		Scheme: r.Scheme, DefaultTransform: strip, ReaderFailOnMissingInformer: true,
		ByObject: r.byObject(map[client.Object]cache.ByObject{&corev1.Pod{}: {Field: running}}),
	})
	if err != nil {
		return fmt.Errorf("preparing the caches: %w", err)
	}
	attempt, cancel := context.WithCancel(ctx)
	pods, err := informer(attempt, own, &corev1.Pod{}, podIndexers)
	if err != nil {
		cancel()
		return err
	}
	deliveries, err := informer(attempt, own, &v1alpha1.CertificateDelivery{}, deliveryIndexers)
	if err != nil {
		cancel()
		return err
	}
	budgets, err := informer(attempt, own, &policyv1.PodDisruptionBudget{}, disruptionIndexers)
	if err != nil {
		cancel()
		return err
	}
	r.pods, r.deliveries, r.disruptions = pods.GetIndexer(), deliveries.GetIndexer(), budgets.GetIndexer()
	if err := r.watchSecrets(attempt, own); err != nil {
		cancel()
		return err
	}
	podsHandled, err := pods.AddEventHandler(r.handler(r.onPod))
	if err != nil {
		cancel()
		return fmt.Errorf("listening to pods: %w", err)
	}
	deliveriesHandled, err := deliveries.AddEventHandler(r.handler(r.onDelivery))
	if err != nil {
		cancel()
		return fmt.Errorf("listening to deliveries: %w", err)
	}
	go func() {
		defer cancel()
		if err := own.Start(attempt); err != nil {
			r.Log.Error(err, "The caches have ended")
		}
	}()
	if !toolscache.WaitForCacheSync(ctx.Done(), podsHandled.HasSynced, deliveriesHandled.HasSynced, budgets.HasSynced) {
		return context.Cause(ctx)
	}
	r.awaitSecrets(ctx)
	r.Log.Info("Caches have synced", "kinds", "Pods, CertificateDeliveries and PodDisruptionBudgets")
	if !r.openFronts(attempt, own) {
		return context.Cause(ctx)
	}
	return nil
}

func informer(ctx context.Context, from cache.Cache, object client.Object, indexers toolscache.Indexers) (toolscache.SharedIndexInformer, error) {
	got, err := from.GetInformer(ctx, object, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("starting the informer for %T: %w", object, err)
	}
	shared, ok := got.(toolscache.SharedIndexInformer)
	if !ok {
		return nil, errors.New("an informer has no index")
	}
	missing, have := toolscache.Indexers{}, shared.GetIndexer().GetIndexers() // the one by namespace is always there
	for name, keys := range indexers {
		if _, ok := have[name]; !ok {
			missing[name] = keys
		}
	}
	if err := shared.AddIndexers(missing); err != nil {
		return nil, fmt.Errorf("indexing %T: %w", object, err)
	}
	return shared, nil
}

// handler calls f for every event with the old and the new state; either may be nil. What was there before the run serves is
// no event: all Certificates are queued then, and one that is looked after in its own time must not go before what has
// happened, as it would in a cluster of places that do not answer.
func (r *run) handler(f func(before, after any)) toolscache.ResourceEventHandler {
	event := func(before, after any) {
		if r.serving.Load() {
			f(before, after)
		}
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { event(nil, object) },
		UpdateFunc: event,
		DeleteFunc: func(object any) {
			if gone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
				object = gone.Obj
			}
			event(object, nil)
		},
	}
}

// onPod has the Certificates of a pod that has changed looked after. Our own annotation is no change.
func (r *run) onPod(before, after any) {
	was, _ := before.(*Pod)
	is, _ := after.(*Pod)
	if was != nil && is != nil && was.UID == is.UID && was.Ready == is.Ready && was.IP == is.IP && was.Verify == is.Verify &&
		was.Preset == is.Preset && was.Started.Equal(is.Started) && was.DeletionTimestamp.IsZero() == is.DeletionTimestamp.IsZero() {
		return
	}
	for _, p := range []*Pod{was, is} {
		if p == nil {
			continue
		}
		for _, secret := range p.Secrets {
			for _, key := range r.certificatesOf(p.Namespace, secret) {
				r.queue.AddAfter(key, settle)
			}
		}
	}
}

// onDelivery notices that somebody has deleted an object: it is written anew.
func (r *run) onDelivery(before, after any) {
	gone, ok := before.(*v1alpha1.CertificateDelivery)
	if !ok || after != nil {
		return
	}
	key := types.NamespacedName{Namespace: gone.Namespace, Name: gone.Name}
	r.mu.Lock()
	if m := r.known[key]; m != nil && m.object != nil && m.object.UID == gone.UID {
		m.object = nil
	}
	r.mu.Unlock()
	r.queue.Add(key)
}

// podsOf returns the pods that refer to a Secret, by their names.
func (r *run) podsOf(namespace, secret string) []*Pod {
	objects, err := r.pods.ByIndex(bySecret, namespace+"/"+secret)
	if err != nil {
		return nil // only for an index that does not exist
	}
	out := make([]*Pod, 0, len(objects))
	for _, object := range objects {
		if p, ok := object.(*Pod); ok {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *Pod) int { return strings.Compare(a.Name, b.Name) })
	return out
}
