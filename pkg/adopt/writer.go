package adopt

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	appsv1 "k8s.io/client-go/kubernetes/typed/apps/v1"

	"github.com/certwire/certwire/pkg/inventory"
)

// FieldManager is the owner of what certwire writes.
const FieldManager = "certwire"

// Apps writes through the API server.
type Apps struct{ Client appsv1.AppsV1Interface }

// Annotate implements [Writer] by a merge patch, since the cache does not know all annotations. The resource version
// inside makes the API server refuse it when the workload has changed since.
func (a Apps) Annotate(ctx context.Context, key inventory.WorkloadKey, resourceVersion string, changes map[string]*string) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": resourceVersion, "annotations": changes},
	})
	if err != nil {
		return fmt.Errorf("encoding the patch: %w", err)
	}
	options := metav1.PatchOptions{FieldManager: FieldManager}
	switch key.Kind {
	case "Deployment":
		_, err = a.Client.Deployments(key.Namespace).Patch(ctx, key.Name, types.MergePatchType, patch, options)
	case "StatefulSet":
		_, err = a.Client.StatefulSets(key.Namespace).Patch(ctx, key.Name, types.MergePatchType, patch, options)
	case "DaemonSet":
		_, err = a.Client.DaemonSets(key.Namespace).Patch(ctx, key.Name, types.MergePatchType, patch, options)
	default:
		return fmt.Errorf("kind %q is not a workload", key.Kind)
	}
	return err
}
