package delivery

import (
	"context"
	"fmt"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/front"
)

const (
	// lookForKinds is how long to wait before a kind that was not there, or not allowed, is tried once more.
	lookForKinds = 30 * time.Second
	// waitForKind is how long the first looks wait for one that may be listed, and then not watched.
	waitForKind = 30 * time.Second
)

// frontKind is one kind that fronts are found by.
type frontKind struct {
	name string
	// objects are the kind as the cache wants it, and list as a trial does: the first version that the cluster has counts.
	objects  []client.Object
	lists    []client.ObjectList
	to       *store
	indexers toolscache.Indexers
	changed  func(before, after any)
}

// dynamic is a kind that has no types here.
func dynamic(kind string, to *store, indexers toolscache.Indexers, changed func(before, after any), group string, versions ...string) frontKind {
	k := frontKind{name: kind, to: to, indexers: indexers, changed: changed}
	for _, version := range versions {
		gvk := schema.GroupVersionKind{Group: group, Version: version, Kind: kind}
		object, list := &unstructured.Unstructured{}, &unstructured.UnstructuredList{}
		object.SetGroupVersionKind(gvk)
		list.SetGroupVersionKind(gvk.GroupVersion().WithKind(kind + "List"))
		k.objects, k.lists = append(k.objects, object), append(k.lists, list)
	}
	return k
}

func (r *run) frontKinds(c *frontCaches) []frontKind {
	known := func(name string, object client.Object, list client.ObjectList, to *store, indexers toolscache.Indexers, changed func(before, after any)) frontKind {
		return frontKind{name: name, objects: []client.Object{object}, lists: []client.ObjectList{list}, to: to, indexers: indexers, changed: changed}
	}
	touch := frontTouches{run: r, caches: c}
	return []frontKind{
		known("Ingress", &networkingv1.Ingress{}, &networkingv1.IngressList{}, &c.ingresses, ingressIndexers, touched(touch.ingress)),
		known("IngressClass", &networkingv1.IngressClass{}, &networkingv1.IngressClassList{}, &c.classes, nil, touched(touch.class)),
		known("Service", &corev1.Service{}, &corev1.ServiceList{}, &c.services, serviceIndexers, touched(touch.service)),
		known("EndpointSlice", &discoveryv1.EndpointSlice{}, &discoveryv1.EndpointSliceList{}, &c.slices, sliceIndexers, touched(touch.slice)),
		known(front.KindValidating, &admissionv1.ValidatingWebhookConfiguration{}, &admissionv1.ValidatingWebhookConfigurationList{},
			&c.validating, callerIndexers, touched(touch.caller)),
		known(front.KindMutating, &admissionv1.MutatingWebhookConfiguration{}, &admissionv1.MutatingWebhookConfigurationList{},
			&c.mutating, callerIndexers, touched(touch.caller)),
		known(front.KindConversion, &front.CustomResourceDefinition{}, &front.CustomResourceDefinitionList{},
			&c.conversions, callerIndexers, touched(touch.caller)),
		dynamic(front.KindAPIService, &c.apiServices, callerIndexers, touched(touch.caller), "apiregistration.k8s.io", "v1"),
		dynamic(front.KindGateway, &c.gateways, gatewayIndexers, touched(touch.gateway), front.GatewayGroup, "v1", "v1beta1"),
		dynamic(front.KindListenerSet, &c.listenerSets, gatewayIndexers, touched(touch.gateway), front.GatewayGroup, "v1"),
		dynamic(front.KindReferenceGrant, &c.grants, nil, touched(touch.grant), front.GatewayGroup, "v1", "v1beta1"),
	}
}

// openFronts begins to watch what fronts are found by, and waits until each kind is there or known not to be: a kind that
// the cluster does not have, or that certwire may not read, is left out, and looked for again and again. It returns false
// when the context ended first.
func (r *run) openFronts(ctx context.Context, own cache.Cache) bool {
	c := &frontCaches{pods: r.pod}
	r.fronts = c
	live, err := client.New(r.Rest, client.Options{Scheme: r.Scheme})
	if err != nil {
		r.Log.Error(err, "No client for what Ingresses and Gateways serve, so it is not looked at")
		return true
	}
	var settling sync.WaitGroup
	for _, k := range r.frontKinds(c) {
		settled := make(chan struct{})
		go r.watchKind(ctx, own, live, k, sync.OnceFunc(func() { close(settled) }))
		settling.Go(func() {
			select {
			case <-settled:
			case <-ctx.Done():
			}
		})
	}
	settling.Wait()
	return ctx.Err() == nil
}

// watchKind fills the cache of one kind, if need be after a long time. settled is called once it is known whether the kind
// is there.
func (r *run) watchKind(ctx context.Context, own cache.Cache, live client.Client, k frontKind, settled func()) {
	defer time.AfterFunc(waitForKind, settled).Stop()
	said := ""
	for {
		wait := again
		err := r.tryKind(ctx, own, live, k)
		switch {
		case err == nil:
			settled()
			return
		case ctx.Err() != nil:
			return
		case meta.IsNoMatchError(err), apierrors.IsNotFound(err):
			wait = lookForKinds
			settled()
		case apierrors.IsForbidden(err):
			wait = lookForKinds
			if said != k.name {
				said = k.name
				r.Log.Error(err, "A kind may not be read, so what it has served is not looked at", "kind", k.name)
			}
			settled()
		case said != err.Error():
			said = err.Error()
			r.Log.Error(err, "A kind cannot be watched yet, trying again", "kind", k.name, "every", again.String())
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// tryKind asks for one object, since an informer does not tell what is in its way, and starts the informer.
func (r *run) tryKind(ctx context.Context, own cache.Cache, live client.Client, k frontKind) error {
	var err error
	for i, list := range k.lists {
		if err = live.List(ctx, list, client.Limit(1)); meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
			continue // an older version, perhaps
		}
		if err != nil {
			return fmt.Errorf("listing %s: %w", k.name, err)
		}
		got, err := informer(ctx, own, k.objects[i], k.indexers)
		if err != nil {
			return err
		}
		indexer := got.GetIndexer()
		k.to.of.Store(&indexer)
		handled, err := got.AddEventHandler(r.handler(k.changed))
		if err != nil {
			return fmt.Errorf("listening to %s: %w", k.name, err)
		}
		if !toolscache.WaitForCacheSync(ctx.Done(), handled.HasSynced) {
			return context.Cause(ctx)
		}
		return nil
	}
	return err
}
