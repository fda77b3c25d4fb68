package inventory

import (
	"maps"
	"slices"
	"strings"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/certwire/certwire/pkg/mutate"
)

// handler calls f for every event with the old and the new state; either may be nil.
func handler(f func(before, after any)) toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { f(nil, object) },
		UpdateFunc: f,
		DeleteFunc: func(object any) {
			if gone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
				object = gone.Obj
			}
			f(object, nil)
		},
	}
}

func (i *Inventory) onWorkload() toolscache.ResourceEventHandler {
	return handler(func(before, after any) {
		was, _ := before.(*Workload)
		is, _ := after.(*Workload)
		if (was != nil && was.isReloader) || (is != nil && is.isReloader) {
			i.lookForReloader()
		}
		if is != nil && (len(is.secrets) > 0 || is.Workload.Metadata.Annotations[mutate.StatusKey] != "") {
			i.affected(is.Key())
		}
	})
}

func (i *Inventory) onNamespace() toolscache.ResourceEventHandler {
	return handler(func(before, after any) {
		was, _ := before.(*metav1.PartialObjectMetadata)
		is, _ := after.(*metav1.PartialObjectMetadata)
		if is == nil || (was != nil && maps.Equal(was.Labels, is.Labels)) {
			return // its workloads go with it, or nothing that a plan reads has changed
		}
		i.affectedIn(byInteresting, is.Name)
	})
}

func (i *Inventory) onCertificate() toolscache.ResourceEventHandler {
	return handler(func(before, after any) {
		was, _ := before.(*cmapi.Certificate)
		is, _ := after.(*cmapi.Certificate)
		if was != nil && is != nil && was.Spec.SecretName == is.Spec.SecretName && sameTemplate(was, is) {
			return // a renewal or another change of status
		}
		for _, c := range []*cmapi.Certificate{was, is} {
			if c != nil {
				i.affectedIn(bySecret, c.Namespace+"/"+c.Spec.SecretName)
			}
		}
	})
}

func sameTemplate(a, b *cmapi.Certificate) bool {
	var x, y cmapi.CertificateSecretTemplate
	if a.Spec.SecretTemplate != nil {
		x = *a.Spec.SecretTemplate
	}
	if b.Spec.SecretTemplate != nil {
		y = *b.Spec.SecretTemplate
	}
	return maps.Equal(x.Labels, y.Labels) && maps.Equal(x.Annotations, y.Annotations)
}

func (i *Inventory) onReloader() toolscache.ResourceEventHandler {
	return handler(func(any, any) { i.lookForReloader() })
}

// affectedIn reports all workloads under one value of an index.
func (i *Inventory) affectedIn(index, value string) {
	s := i.core.Load()
	if s == nil {
		return
	}
	for _, informer := range []toolscache.SharedIndexInformer{s.deployments, s.statefulSets, s.daemonSets} {
		for _, key := range keysIn(informer, index, value) {
			i.affected(key)
		}
	}
}

// Reloader returns what is known of the cluster's Reloader.
func (i *Inventory) Reloader() mutate.Reloader { return *i.reloader.Load() }

// lookForReloader reads Reloader's ConfigMap, the first by namespace if there are several, and otherwise its
// Deployment. When the keys change, every plan may.
func (i *Inventory) lookForReloader() {
	s := i.core.Load()
	if s == nil {
		return
	}
	i.looking.Lock() // handlers of several kinds come here; the last one to store must be the last one to have looked
	found := mutate.NoReloader()
	if len(keysIn(s.deployments, isReloaderKey, isReloaderKey)) > 0 {
		found.Found = true
	}
	var maps []*corev1.ConfigMap
	for _, o := range s.configMaps.GetIndexer().List() {
		if c, ok := o.(*corev1.ConfigMap); ok && c.Name == ReloaderConfigMap {
			maps = append(maps, c)
		}
	}
	slices.SortFunc(maps, func(a, b *corev1.ConfigMap) int { return strings.Compare(a.Namespace, b.Namespace) })
	if len(maps) > 0 {
		var err error
		if found, err = mutate.ParseReloader(maps[0].Data["reloaderOptions"]); err != nil {
			i.log.Error(err, "Reloader's options could not be read, assuming its defaults", "namespace", maps[0].Namespace)
		}
	}
	before := i.reloader.Swap(&found)
	i.looking.Unlock()
	if before.Keys != found.Keys || before.AutoReloadAll != found.AutoReloadAll {
		for _, key := range i.Interesting() {
			i.affected(key)
		}
	}
}
