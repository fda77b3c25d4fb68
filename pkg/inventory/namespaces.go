package inventory

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// NamespaceLabels returns a namespace's labels, which must not be changed. A namespace that the cache does not have is
// asked of the API server, within half of the context's deadline: namespace and workload are often applied in one go, and the watch can be
// milliseconds behind. Errors wrap the API server's.
func (i *Inventory) NamespaceLabels(ctx context.Context, name string) (map[string]string, error) {
	if s := i.core.Load(); s != nil {
		object, ok, err := s.namespaces.GetIndexer().GetByKey(name)
		if m, is := object.(*metav1.PartialObjectMetadata); err == nil && ok && is {
			return m.Labels, nil
		}
	}
	if end, ok := ctx.Deadline(); ok { // the other half is for what is done with the answer
		half, cancel := context.WithTimeout(ctx, time.Until(end)/2)
		defer cancel()
		ctx = half
	}
	m := namespaceMeta()
	if err := i.live.Get(ctx, client.ObjectKey{Name: name}, m); err != nil {
		return nil, fmt.Errorf("reading namespace %s: %w", name, err)
	}
	return m.Labels, nil
}
