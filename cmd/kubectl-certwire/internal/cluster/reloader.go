package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/mutate"
)

// reloaderConfigMap is where Reloader publishes its options (stakater/Reloader, pkg/common/metainfo.go).
const reloaderConfigMap = "reloader-meta-info"

// Reloader looks for Reloader as certwire does: by its ConfigMap, and otherwise by a Deployment with its image. where names
// what was found. An error means that nobody knows.
func (c *Cluster) Reloader(ctx context.Context) (found mutate.Reloader, where string, err error) {
	var maps corev1.ConfigMapList
	err = c.List(ctx, &maps, client.MatchingFields{"metadata.name": reloaderConfigMap})
	if err == nil && len(maps.Items) > 0 {
		first := slices.MinFunc(maps.Items, func(a, b corev1.ConfigMap) int { return strings.Compare(a.Namespace, b.Namespace) })
		where = fmt.Sprintf("ConfigMap %s/%s", first.Namespace, first.Name)
		found, err = mutate.ParseReloader(first.Data["reloaderOptions"])
		return found, where, err
	}
	found = mutate.NoReloader()
	for next := ""; ; {
		var page appsv1.DeploymentList
		if listed := c.List(ctx, &page, client.Limit(500), client.Continue(next)); listed != nil {
			return found, "", listed
		}
		for i := range page.Items {
			if d := &page.Items[i]; isReloader(d) {
				found.Found = true
				return found, fmt.Sprintf("Deployment %s/%s", d.Namespace, d.Name), nil
			}
		}
		if next = page.Continue; next == "" {
			return found, "", err
		}
	}
}

// isReloader recognises Reloader's own Deployment, whose image keeps its name wherever it is mirrored to.
func isReloader(d *appsv1.Deployment) bool {
	return slices.ContainsFunc(d.Spec.Template.Spec.Containers, func(c corev1.Container) bool { return strings.Contains(c.Image, "stakater/reloader") })
}
