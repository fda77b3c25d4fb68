package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/cluster"
	"github.com/certwire/certwire/pkg/mutate"
	"github.com/certwire/certwire/pkg/policy"
)

// trialName is what tried objects are called. They are never stored.
const trialName = "certwire-doctor"

// untouched are the namespaces that the hooks leave out (manifests/base/*webhookconfiguration.yaml).
func (d *doctor) untouched(namespace string) bool {
	return slices.Contains([]string{d.system, "kube-system", "kube-node-lease"}, namespace)
}

// namespaces lists those that a trial can be in, the chosen one first.
func (d *doctor) namespaces(ctx context.Context) ([]corev1.Namespace, error) {
	var list corev1.NamespaceList
	if err := d.cluster.List(ctx, &list); err != nil {
		var own corev1.Namespace // who may not list may still read the own one
		if d.cluster.Get(ctx, client.ObjectKey{Name: d.cluster.Namespace}, &own) != nil {
			return nil, err
		}
		list.Items = []corev1.Namespace{own}
	}
	list.Items = slices.DeleteFunc(list.Items, func(n corev1.Namespace) bool {
		return d.untouched(n.Name) || n.Status.Phase == corev1.NamespaceTerminating
	})
	slices.SortStableFunc(list.Items, func(a, b corev1.Namespace) int {
		switch own := d.cluster.Namespace; {
		case a.Name == own && b.Name != own:
			return -1
		case b.Name == own && a.Name != own:
			return 1
		}
		return 0
	})
	return list.Items, nil
}

// mutates has a Deployment admitted that uses a Certificate's Secret, and looks whether it gets its annotation.
func (d *doctor) mutates(ctx context.Context) {
	const check = "reload"
	namespaces, err := d.namespaces(ctx)
	if err != nil {
		d.warn(check, "", "could not try: %s", cluster.Why(err))
		return
	}
	if d.reloader.AutoReloadAll {
		d.warn(check, "", "could not try: Reloader reloads everything (--auto-reload-all), so certwire adds no annotation")
		return
	}
	optedIn := slices.DeleteFunc(namespaces, func(n corev1.Namespace) bool {
		mode, _ := mutate.ParseMode(n.Labels[mutate.ReloadLabel])
		return mode == mutate.Unset || mode == mutate.Off
	})
	if len(optedIn) == 0 {
		d.warn(check, labelled("NAMESPACE", mutate.ReloadLabel+"="+string(mutate.Auto)), "could not try: no namespace that you may see is opted in, so no workload is touched")
		return
	}
	for _, n := range optedIn {
		var certificates cmapi.CertificateList
		if err := d.cluster.List(ctx, &certificates, client.InNamespace(n.Name)); err != nil {
			continue
		}
		if secret := d.plainSecret(certificates.Items); secret != "" {
			d.tryDeployment(ctx, check, n.Name, secret)
			return
		}
	}
	d.warn(check, "", "could not try: there is no Certificate that you may see in the namespaces that are opted in (%s)", names(optedIn))
}

// plainSecret finds a Secret that a plan would annotate for.
func (d *doctor) plainSecret(certificates []cmapi.Certificate) string {
	writers := map[string]int{}
	for _, c := range certificates {
		writers[c.Spec.SecretName]++
	}
	for _, c := range certificates {
		ignored := c.Spec.SecretTemplate != nil && c.Spec.SecretTemplate.Annotations[d.reloader.Keys.Ignore] == "true"
		if c.DeletionTimestamp == nil && c.Spec.SecretName != "" && writers[c.Spec.SecretName] == 1 && !ignored {
			return c.Spec.SecretName
		}
	}
	return ""
}

func names(list []corev1.Namespace) string {
	const shown = 5
	var out []string
	for _, n := range list[:min(len(list), shown)] {
		out = append(out, n.Name)
	}
	if len(list) > shown {
		out = append(out, fmt.Sprintf("and %d more", len(list)-shown))
	}
	return strings.Join(out, ", ")
}

func (d *doctor) tryDeployment(ctx context.Context, check, namespace, secret string) {
	labels := map[string]string{"app": trialName}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: trialName},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(0)), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: trialPod(secret)},
		},
	}
	err := d.cluster.Create(ctx, deployment, client.DryRunAll)
	where := fmt.Sprintf("a Deployment that uses Secret %s in namespace %s (a dry run)", secret, namespace)
	switch {
	case err != nil:
		d.warn(check, "", "could not try %s: %s", where, err)
	case strings.Contains(deployment.Annotations[d.reloader.Keys.Reload], secret):
		d.ok(check, "%s gets its reload annotation", where)
	default:
		d.fail(check, d.logs(), "%s is admitted as it is: the API server does not reach certwire, or certwire is not ready", where)
	}
}

// trialPod fits Pod Security "restricted".
func trialPod(secret string) corev1.PodSpec {
	pod := corev1.PodSpec{
		AutomountServiceAccountToken: new(false),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: new(true), RunAsUser: new(int64(65532)), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{trialContainer("app")},
	}
	if secret != "" {
		pod.Volumes = []corev1.Volume{{Name: "tls", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: secret}}}}
	}
	return pod
}

func trialContainer(name string) corev1.Container {
	return corev1.Container{Name: name, Image: "certwire.dev/trial", SecurityContext: &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}}
}

// refuses has an Issuer admitted that rule wildcard-zone refuses whatever stands around it.
func (d *doctor) refuses(ctx context.Context) {
	const check = "guard"
	namespaces, err := d.namespaces(ctx)
	if err != nil {
		d.warn(check, "", "could not try: %s", cluster.Why(err))
		return
	}
	mode := func(n corev1.Namespace) policy.Mode { return d.settings.Modes.For(policy.WildcardZone, n.Labels) }
	for _, wanted := range []policy.Mode{policy.ModeDeny, policy.ModeWarn} {
		for _, n := range namespaces {
			if mode(n) == wanted && n.Labels[policy.IssuanceLabel] != string(policy.ModeOff) {
				d.tryIssuer(ctx, check, n.Name, wanted)
				return
			}
		}
	}
	d.warn(check, "", "could not try: rule %s is off in every namespace that you may see", policy.WildcardZone)
}

func (d *doctor) tryIssuer(ctx context.Context, check, namespace string, mode policy.Mode) {
	heard := &warnings{}
	listening, err := d.cluster.Listening(heard.hear)
	if err != nil {
		d.warn(check, "", "could not try: %s", err)
		return
	}
	err = listening.Create(ctx, trialIssuer(namespace), client.DryRunAll)
	where := fmt.Sprintf("an Issuer that can never work, in namespace %s (a dry run)", namespace)
	switch {
	case err != nil && strings.Contains(err.Error(), "guard.certwire.dev"):
		d.ok(check, "%s is refused", where)
	case err != nil:
		d.warn(check, "", "could not try %s: %s", where, err)
	case mode == policy.ModeDeny || !heard.has("dnsZones"):
		d.fail(check, d.logs(), "%s is let through without a word: the API server does not reach certwire, or certwire is not ready", where)
	default:
		d.warn(check, labelled(namespace, policy.IssuanceLabel+"="+string(policy.ModeDeny)),
			"%s is warned about and not refused: no namespace that you may see says %s", where, policy.ModeDeny)
	}
}

// trialIssuer has a solver that matches no name, and a staging directory, so that no other rule has anything to say.
func trialIssuer(namespace string) *cmapi.Issuer {
	return &cmapi.Issuer{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: trialName},
		Spec: cmapi.IssuerSpec{IssuerConfig: cmapi.IssuerConfig{ACME: &acmeapi.ACMEIssuer{
			Server:     "https://acme-staging-v02.api.letsencrypt.org/directory",
			PrivateKey: cmmeta.SecretKeySelector{LocalObjectReference: cmmeta.LocalObjectReference{Name: trialName}},
			Solvers: []acmeapi.ACMEChallengeSolver{{
				Selector: &acmeapi.CertificateDNSNameSelector{DNSZones: []string{"*.example.com"}},
				HTTP01:   &acmeapi.ACMEChallengeSolverHTTP01{Ingress: &acmeapi.ACMEChallengeSolverHTTP01Ingress{}},
			}},
		}}},
	}
}
