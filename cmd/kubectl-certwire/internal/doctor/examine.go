package doctor

import (
	"context"
	"fmt"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/cluster"
	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/config"
	"github.com/certwire/certwire/pkg/mutate"
)

// The names that the manifests give.
const (
	deploymentName    = "certwire-webhook"
	configurationName = "certwire"
)

const install = "kubectl apply -k manifests/"

// doctor carries one examination through its checks.
type doctor struct {
	cluster *cluster.Cluster
	system  string
	now     time.Time

	settings *config.Settings
	reloader mutate.Reloader
	findings []Finding
}

// Examine makes every check. system is certwire's own namespace. progress is told how many parts are done of how many; it may
// be nil.
func Examine(ctx context.Context, c *cluster.Cluster, system string, now time.Time, progress func(done, of int)) ([]Finding, error) {
	d := &doctor{cluster: c, system: system, now: now}
	version, err := c.Discovery.ServerVersion()
	if err != nil {
		d.fail("API server", "kubectl cluster-info", "it does not answer: %s", err)
		return d.findings, nil
	}
	d.ok("API server", "it answers, and is %s", version.GitVersion)
	if d.settings, err = c.Settings(ctx, system); d.settings == nil {
		return nil, err
	}
	d.configuration(err)
	d.kinds()
	parts := []func(context.Context){
		d.deployment, d.webhooks,
		d.lookForReloader, // before the trial, which reads its annotation keys
		d.mutates, d.refuses, d.agent, d.readers, d.deliveries,
	}
	for i, part := range parts {
		if progress != nil {
			progress(i, len(parts))
		}
		part(ctx)
	}
	return d.findings, nil
}

func (d *doctor) ok(check, format string, args ...any) {
	d.findings = append(d.findings, Finding{check, OK, fmt.Sprintf(format, args...), ""})
}

func (d *doctor) warn(check, remedy, format string, args ...any) {
	d.findings = append(d.findings, Finding{check, Warn, fmt.Sprintf(format, args...), remedy})
}

func (d *doctor) fail(check, remedy, format string, args ...any) {
	d.findings = append(d.findings, Finding{check, Fail, fmt.Sprintf(format, args...), remedy})
}

// logs is the command that shows what certwire itself says.
func (d *doctor) logs() string {
	return fmt.Sprintf("kubectl logs -n %s deployment/%s --all-pods --tail=50", d.system, deploymentName)
}

func (d *doctor) configuration(err error) {
	const check = "configuration"
	switch {
	case err == nil:
		d.ok(check, "it is valid: rules are at %s where a namespace does not say otherwise", d.settings.Modes.Default)
	case apierrors.IsNotFound(err):
		d.warn(check, install, "there is no ConfigMap certwire in namespace %s; defaults are assumed", d.system)
	case apierrors.IsForbidden(err):
		d.warn(check, "", "you may not read ConfigMap certwire in namespace %s; defaults are assumed", d.system)
	default:
		d.fail(check, fmt.Sprintf("kubectl edit configmap certwire -n %s", d.system), "%s; certwire goes on with the last one that was valid", err)
	}
}

// kinds looks for the CRDs. What the API server serves tells, so no permission is needed.
func (d *doctor) kinds() {
	for _, k := range []struct {
		check, remedy string
		kind          schema.GroupVersionKind
	}{
		{"cert-manager", "helm install cert-manager oci://quay.io/jetstack/charts/cert-manager -n cert-manager --create-namespace --set crds.enabled=true", cmapi.SchemeGroupVersion.WithKind("Certificate")},
		{"CRDs", install, v1alpha1.GroupVersion.WithKind("IssuanceBudget")},
	} {
		switch _, err := d.cluster.RESTMapper().RESTMapping(k.kind.GroupKind(), k.kind.Version); {
		case err == nil:
			d.ok(k.check, "the API server has %ss of %s", k.kind.Kind, k.kind.GroupVersion())
		case meta.IsNoMatchError(err):
			d.fail(k.check, k.remedy, "the API server has no %ss of %s", k.kind.Kind, k.kind.GroupVersion())
		default:
			d.warn(k.check, "", "could not look: %s", err)
		}
	}
}

func (d *doctor) deployment(ctx context.Context) {
	const check = "server"
	var found appsv1.Deployment
	err := d.cluster.Get(ctx, client.ObjectKey{Namespace: d.system, Name: deploymentName}, &found)
	pods := fmt.Sprintf("kubectl get pods -n %s -l app.kubernetes.io/component=webhook", d.system)
	want := int32(1)
	if found.Spec.Replicas != nil {
		want = *found.Spec.Replicas
	}
	have := found.Status.AvailableReplicas
	switch {
	case apierrors.IsNotFound(err):
		d.fail(check, install, "there is no Deployment %s in namespace %s", deploymentName, d.system)
	case err != nil:
		d.warn(check, "", "could not look: %s", cluster.Why(err))
	case have == 0:
		d.fail(check, pods, "Deployment %s/%s has no replica that is ready, of %d", d.system, deploymentName, want)
	case have < want:
		d.warn(check, pods, "Deployment %s/%s has %d of %d replicas ready", d.system, deploymentName, have, want)
	default:
		d.ok(check, "Deployment %s/%s has %d of %d replicas ready, and runs %s", d.system, deploymentName, have, want, image(&found))
	}
}

func image(d *appsv1.Deployment) string {
	if c := d.Spec.Template.Spec.Containers; len(c) > 0 {
		return c[0].Image
	}
	return "nothing"
}

func (d *doctor) lookForReloader(ctx context.Context) {
	const check = "Reloader"
	const remedy = "helm install stakater-reloader reloader --repo https://stakater.github.io/stakater-charts -n reloader --create-namespace"
	found, where, err := d.cluster.Reloader(ctx)
	d.reloader = found
	switch {
	case err != nil && where == "":
		d.reloader = mutate.NoReloader()
		d.warn(check, "", "could not look for it: %s", cluster.Why(err))
	case err != nil:
		d.warn(check, "", "%s cannot be read (%s), so its defaults are assumed", where, err)
	case !found.Found:
		d.warn(check, remedy, "it was not found: its annotation, which workloads without the agent get, does nothing")
	case found.Inert("", nil, nil) != "":
		d.warn(check, "", "%s: %s", where, found.Inert("", nil, nil))
	default:
		d.ok(check, "it is there (%s)", where)
	}
}
