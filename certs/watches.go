package certs

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	admissionregistrationinformers "k8s.io/client-go/informers/admissionregistration/v1"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/tools/cache"
)

// watches are the informers: the CA Secret and the two configurations, each object by its name alone, since that is all
// that RBAC with resourceNames allows.
type watches struct {
	secret, mutating, validating cache.SharedIndexInformer
	published                    *published
	registrations                []cache.ResourceEventHandlerRegistration

	mu          sync.Mutex
	subscribers map[chan struct{}]bool
}

func newWatches(o Options, p *published) (*watches, error) {
	named := func(name string) func(*metav1.ListOptions) {
		selector := fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
		return func(list *metav1.ListOptions) { list.FieldSelector = selector }
	}
	w := &watches{
		secret: coreinformers.NewFilteredSecretInformer(
			o.Client, o.Namespace, 0, cache.Indexers{}, named(o.SecretName)),
		mutating: admissionregistrationinformers.NewFilteredMutatingWebhookConfigurationInformer(
			o.Client, 0, cache.Indexers{}, named(o.MutatingConfiguration)),
		validating: admissionregistrationinformers.NewFilteredValidatingWebhookConfigurationInformer(
			o.Client, 0, cache.Indexers{}, named(o.ValidatingConfiguration)),
		published:   p,
		subscribers: map[chan struct{}]bool{},
	}
	if err := w.secret.SetTransform(dropKey); err != nil {
		return nil, fmt.Errorf("preparing the watch of the CA Secret: %w", err)
	}
	for _, informer := range w.informers() {
		registration, err := informer.AddEventHandler(cache.ResourceEventHandlerDetailedFuncs{
			AddFunc:    func(object any, initial bool) { w.changed(object, initial) },
			UpdateFunc: func(_, object any) { w.changed(object, false) },
			DeleteFunc: w.deleted,
		})
		if err != nil {
			return nil, fmt.Errorf("preparing the watches: %w", err)
		}
		w.registrations = append(w.registrations, registration)
	}
	return w, nil
}

func (w *watches) informers() []cache.SharedIndexInformer {
	return []cache.SharedIndexInformer{w.secret, w.mutating, w.validating}
}

// run keeps the watches until ctx ends; it is called once.
func (w *watches) run(ctx context.Context, log logr.Logger) error {
	var group sync.WaitGroup
	defer group.Wait()
	for _, informer := range w.informers() {
		if err := informer.SetWatchErrorHandlerWithContext(logWatchError(log)); err != nil {
			return fmt.Errorf("preparing the watches: %w", err)
		}
		group.Go(func() { informer.RunWithContext(logr.NewContext(ctx, log)) })
	}
	group.Go(func() {
		// An object that does not exist brings no event, so that everything has been read is news of its own.
		if cache.WaitForCacheSync(ctx.Done(), w.synced) {
			w.notify()
		}
	})
	return nil
}

// synced tells whether the first state of all objects has been taken in.
func (w *watches) synced() bool {
	for _, registration := range w.registrations {
		if !registration.HasSynced() {
			return false
		}
	}
	return true
}

// subscribe returns a channel that has an item after every change; stop ends it.
func (w *watches) subscribe() (changes <-chan struct{}, stop func()) {
	channel := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.subscribers[channel] = true
	return channel, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.subscribers, channel)
	}
}

// ca returns the CA in the Secret, nil if there is none.
func (w *watches) ca() *x509.Certificate {
	for _, object := range w.secret.GetStore().List() {
		return secretCA(object)
	}
	return nil
}

// configurations returns those that exist.
func (w *watches) configurations() (found []configuration) {
	for _, informer := range []cache.SharedIndexInformer{w.mutating, w.validating} {
		for _, object := range informer.GetStore().List() {
			if c, ok := asConfiguration(object); ok {
				found = append(found, c)
			}
		}
	}
	return found
}

func (w *watches) changed(object any, initial bool) {
	if c, ok := asConfiguration(object); ok {
		w.published.observe(c, initial)
	} else if ca := secretCA(object); ca != nil {
		w.published.observeCA(ca)
	}
	w.notify()
}

func (w *watches) deleted(object any) {
	if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = tombstone.Obj
	}
	if c, ok := asConfiguration(object); ok {
		w.published.forget(c)
	}
	w.notify()
}

func (w *watches) notify() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for channel := range w.subscribers {
		select {
		case channel <- struct{}{}:
		default: // one is waiting already, and whoever takes it looks at everything
		}
	}
}

func secretCA(object any) *x509.Certificate {
	secret, ok := object.(*corev1.Secret)
	if !ok {
		return nil
	}
	for _, certificate := range parse(secret.Data[corev1.TLSCertKey]) {
		if certificate.IsCA {
			return certificate
		}
	}
	return nil
}

// dropKey keeps the CA's private key out of this cache: only the authority needs it.
func dropKey(object any) (any, error) {
	if secret, ok := object.(*corev1.Secret); ok {
		secret.Data = map[string][]byte{corev1.TLSCertKey: secret.Data[corev1.TLSCertKey]}
	}
	return object, nil
}

// logWatchError says that the API server could not be read; the informer tries again by itself, with a back-off.
func logWatchError(log logr.Logger) cache.WatchErrorHandlerWithContext {
	return func(ctx context.Context, _ *cache.Reflector, err error) {
		switch {
		case ctx.Err() != nil, errors.Is(err, io.EOF), apierrors.IsResourceExpired(err), apierrors.IsGone(err):
			log.V(1).Info("Watch ended, starting anew", "reason", err.Error())
		default:
			log.Error(err, "Reading from the API server failed, retrying")
		}
	}
}
