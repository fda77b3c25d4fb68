package delivery

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

const reflector = "reflector.v1.k8s.emberstack.com/"

// A reflector that has died: nothing about the Certificate shows it, and pods in another namespace serve what was before.
func TestACopyThatStaysBehindIsNamed(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	r.lets(func(c *cmapi.Certificate) {
		c.Spec.SecretTemplate = &cmapi.CertificateSecretTemplate{Annotations: map[string]string{reflector + "reflection-allowed": "true"}}
	})
	r.eventually("the Secret to have the annotation", func(ctx context.Context) error {
		s, err := cluster.Client.CoreV1().Secrets(r.namespace).Get(ctx, secretName, metav1.GetOptions{})
		if err == nil && s.Annotations[reflector+"reflection-allowed"] == "" {
			err = fmt.Errorf("it has %v", s.Annotations)
		}
		return err
	})
	edge := neighbour(t)
	stop := r.reflectTo(edge)
	edge.deploy("web", server{from: "watch", replicas: 2, port: 8443})
	d := r.becomes(1, v1alpha1.DeliveryDelivered, "", "2/2", func(s status) bool {
		m := s.Mirrors
		return len(m) == 1 && m[0].Namespace == edge.namespace && m[0].Name == secretName && m[0].Tool == "reflector" && m[0].State == "current"
	}, func(s status) bool {
		return s.Endpoints[0].Namespace == edge.namespace && strings.HasPrefix(s.Endpoints[0].Pod, "web-")
	})

	stop()
	old := d.Status.Leaf.Serial
	r.renew()
	r.becomes(2, v1alpha1.DeliveryStale, "mirror-stale", "0/2", func(s status) bool {
		return s.Layer == "mirror" && strings.HasPrefix(s.Message, fmt.Sprintf("Secret %s/%s (reflector) holds serial %s, not serial %s of %s/%s: restart reflector",
			edge.namespace, secretName, old, s.Leaf.Serial, r.namespace, secretName))
	}, func(s status) bool {
		return len(s.Mirrors) == 1 && s.Mirrors[0].State == "previous" && s.Mirrors[0].Serial == old
	}, func(s status) bool {
		e := s.Endpoints[0]
		return e.State == "previous" && e.Serial == old && e.Namespace == edge.namespace
	})
	r.metric(`certwire_delivery_mirrors{certificate="web",namespace=%q,state="previous"} 1`)
	r.metric(`certwire_delivery_mirror_stale_since_timestamp_seconds{certificate="web",namespace=%q} 1`) // a Unix time of these years begins with 1

	began := time.Now()
	stop = r.reflectTo(edge)
	defer stop()
	r.becomes(2, v1alpha1.DeliveryDelivered, "", "2/2", func(s status) bool {
		return s.Mirrors[0].State == "current" && s.Layer == "" && s.Message == ""
	})
	t.Logf("when the tool went on, the copy and its two pods were proven after %s", time.Since(began).Round(10*time.Millisecond))
	r.metric(`certwire_delivery_mirror_stale_since_timestamp_seconds{certificate="web",namespace=%q} 0`)
	// And without a pause.
	r.renew()
	d = r.becomes(3, v1alpha1.DeliveryDelivered, "", "2/2")
	t.Logf("with the tool at work, the pods that use the copy served a renewal after %s", d.Status.Lag)
	pods, err := edge.pods(t.Context())
	r.must(err)
	for _, p := range pods {
		if p.Status.ContainerStatuses[0].RestartCount != 0 {
			t.Errorf("pod %s has restarted", p.Name)
		}
	}
}

// A backup that was restored, say: the key is the same one, so cert-manager sees nothing wrong.
func TestASecretThatSomebodyElseHasWrittenIsNamed(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	r.lets(func(c *cmapi.Certificate) { c.Spec.PrivateKey.RotationPolicy = cmapi.RotationPolicyNever })
	secrets := cluster.Client.CoreV1().Secrets(r.namespace)
	backup, err := secrets.Get(t.Context(), secretName, metav1.GetOptions{})
	r.must(err)
	r.renew()
	r.becomes(2, v1alpha1.DeliveryUnverified, "no-consumer", "0/0")
	fresh, err := secrets.Get(t.Context(), secretName, metav1.GetOptions{})
	r.must(err)
	write := func(data map[string][]byte) {
		r.eventually("the Secret to be written", func(ctx context.Context) error {
			s, err := secrets.Get(ctx, secretName, metav1.GetOptions{})
			if err != nil {
				return err
			}
			s.Data = maps.Clone(data)
			_, err = secrets.Update(ctx, s, metav1.UpdateOptions{FieldManager: "restore"})
			return err
		})
	}
	write(backup.Data)
	r.becomes(2, v1alpha1.DeliveryStale, "secret-overwritten", "0/0", func(s status) bool {
		return s.Layer == "secret" && strings.HasPrefix(s.Message, fmt.Sprintf("Secret %s/%s holds serial ", r.namespace, secretName)) &&
			strings.Contains(s.Message, "written last by restore at ") && strings.Contains(s.Message, "not serial "+s.Leaf.Serial)
	})
	write(fresh.Data)
	r.becomes(2, v1alpha1.DeliveryUnverified, "no-consumer", "0/0")
}

// What is installed without the component may read no Secret but certwire's own; with it, list and watch and no more.
func TestOnlyTheComponentMayReadSecrets(t *testing.T) {
	t.Parallel()
	for folder, want := range map[string]string{
		"manifests": "", "manifests/overlays/delivery": "", "manifests/overlays/mirrors": "certwire-mirrors [list watch]",
	} {
		text, err := cluster.Kubectl(t.Context(), "", "kustomize", folder)
		if err != nil {
			t.Fatal(err)
		}
		var granted []string
		for document := range strings.SplitSeq(text, "\n---\n") {
			var role rbacv1.ClusterRole
			if err := yaml.Unmarshal([]byte(document), &role); err != nil {
				t.Fatal(err)
			}
			for _, rule := range role.Rules {
				resources := " " + strings.Join(rule.Resources, " ") + " "
				if role.Kind == "ClusterRole" && (strings.Contains(resources, " secrets ") || strings.Contains(resources, "*")) {
					granted = append(granted, fmt.Sprint(role.Name, " ", rule.Verbs))
				}
			}
		}
		if got := strings.Join(granted, ", "); got != want {
			t.Errorf("%s grants %q, want %q", folder, got, want)
		}
		if has := strings.Contains(text, "- --delivery-mirrors\n"); has != (want != "") {
			t.Errorf("the flag is in %s: %t", folder, has)
		}
	}
}

// neighbour makes a namespace without a Certificate.
func neighbour(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t}
	ns, err := cluster.Client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "delivery-edge-"}}, metav1.CreateOptions{})
	r.must(err)
	r.namespace = ns.Name
	t.Cleanup(func() { // its pods would go on to take part of the machine
		_ = cluster.Client.CoreV1().Namespaces().Delete(context.Background(), ns.Name, metav1.DeleteOptions{})
	})
	r.eventually("the namespace's ServiceAccount", func(ctx context.Context) error {
		_, err := cluster.Client.CoreV1().ServiceAccounts(ns.Name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	return r
}

// lets changes the Certificate.
func (r *rig) lets(change func(*cmapi.Certificate)) {
	r.t.Helper()
	r.eventually("the Certificate to be changed", func(ctx context.Context) error {
		c := &cmapi.Certificate{}
		if err := objects.Get(ctx, r.key(), c); err != nil {
			return err
		}
		before := c.DeepCopy()
		change(c)
		return objects.Patch(ctx, c, client.MergeFrom(before))
	})
}

// metric waits until certwire shows a line about the rig's namespace.
func (r *rig) metric(line string) {
	r.t.Helper()
	r.eventually("metrics", func(ctx context.Context) error {
		_, err := certwire.Replicas[0].Metric(ctx, fmt.Sprintf(line, r.namespace))
		return err
	})
}

// reflectTo plays emberstack's reflector, which cannot be had here: it writes what reflector does to an automatic copy in
// another namespace, and copies type and data whenever the source has another version. It returns when the first copy is
// there, and goes on until the function that it returns is called.
func (r *rig) reflectTo(to *rig) (stop func()) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	first, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(pollEvery)
		defer tick.Stop()
		version := ""
		for {
			if now, err := r.copyTo(ctx, to, version); err == nil {
				if version == "" {
					close(first)
				}
				version = now
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	r.eventually("the first copy", func(context.Context) error {
		select {
		case <-first:
			return nil
		default:
			return fmt.Errorf("there is none")
		}
	})
	return func() {
		cancel()
		<-ended
	}
}

func (r *rig) copyTo(ctx context.Context, to *rig, version string) (string, error) {
	source, err := cluster.Client.CoreV1().Secrets(r.namespace).Get(ctx, secretName, metav1.GetOptions{})
	if err != nil || source.ResourceVersion == version {
		return version, err
	}
	secrets := cluster.Client.CoreV1().Secrets(to.namespace)
	copied := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: secretName, Annotations: map[string]string{
		reflector + "auto-reflects": "True", reflector + "reflects": r.namespace + "/" + secretName,
		reflector + "reflected-version": source.ResourceVersion, reflector + "reflected-at": time.Now().UTC().Format(time.RFC3339),
	}}, Type: source.Type, Data: source.Data}
	if _, err = secrets.Create(ctx, copied, metav1.CreateOptions{FieldManager: "reflector"}); apierrors.IsAlreadyExists(err) {
		_, err = secrets.Update(ctx, copied, metav1.UpdateOptions{FieldManager: "reflector"})
	}
	return source.ResourceVersion, err
}
