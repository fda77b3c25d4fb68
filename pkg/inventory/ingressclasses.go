package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
)

// IngressClasses returns the names of the cluster's IngressClasses, sorted and never nil; nil while they are not known,
// which is for ever where certwire may not list them. Nothing waits for them: they only feed a warning.
func (i *Inventory) IngressClasses() []string {
	informer := i.ingressClasses.Load()
	if informer == nil || !(*informer).HasSynced() {
		return nil
	}
	names := (*informer).GetIndexer().ListKeys()
	slices.SortFunc(names, strings.Compare)
	if names == nil {
		names = []string{}
	}
	return names
}

func (i *Inventory) startIngressClasses(ctx context.Context) error {
	var informer toolscache.SharedIndexInformer
	object := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "IngressClass"}}
	if err := i.informer(ctx, object, nil, &informer); err != nil {
		return err
	}
	if _, err := informer.AddEventHandler(handler(i.onClass)); err != nil {
		return fmt.Errorf("listening to IngressClasses: %w", err)
	}
	i.ingressClasses.Store(&informer)
	return nil
}
