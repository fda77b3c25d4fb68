package delivery

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	apiutil "github.com/cert-manager/cert-manager/pkg/api/util"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/test/pods"
)

const (
	// pollEvery is the time between two looks at what is waited for.
	pollEvery = 100 * time.Millisecond
	// patience ends a wait that cannot succeed any more; a busy machine stays far below it.
	patience = 4 * time.Minute
	// secretName is the Secret of every test's Certificate, whose name is web.
	secretName = pods.SecretName
)

// rig is a namespace with a Certificate.
type rig struct {
	t         *testing.T
	namespace string
}

// prepare makes a namespace, and has its Certificate issued.
func prepare(t *testing.T) *rig {
	t.Helper()
	return prepareAs(t, func(*cmapi.Certificate) {})
}

// prepareAs is prepare with another Certificate.
func prepareAs(t *testing.T, change func(*cmapi.Certificate)) *rig {
	t.Helper()
	r := &rig{t: t}
	ns, err := cluster.Client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "delivery-",
		Labels:       map[string]string{"pod-security.kubernetes.io/enforce": "restricted", "certwire.dev/reload": "auto"},
	}}, metav1.CreateOptions{})
	r.must(err)
	r.namespace = ns.Name
	t.Cleanup(func() { // its pods would go on to take part of the machine
		_ = cluster.Client.CoreV1().Namespaces().Delete(context.Background(), ns.Name, metav1.DeleteOptions{})
	})
	r.eventually("the namespace's ServiceAccount", func(ctx context.Context) error {
		_, err := cluster.Client.CoreV1().ServiceAccounts(ns.Name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	certificate := &cmapi.Certificate{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "web"},
		Spec: cmapi.CertificateSpec{
			SecretName: secretName, DNSNames: []string{"web." + ns.Name + ".example.com"},
			PrivateKey: &cmapi.CertificatePrivateKey{Algorithm: cmapi.ECDSAKeyAlgorithm, Size: 256},
			IssuerRef:  cmmeta.IssuerReference{Name: issuer, Kind: cmapi.ClusterIssuerKind},
		},
	}
	change(certificate)
	r.must(objects.Create(t.Context(), certificate))
	r.issued(1)
	return r
}

// issued waits until a revision of the Certificate is in its Secret.
func (r *rig) issued(revision int) {
	r.t.Helper()
	r.eventually("the certificate", func(ctx context.Context) error {
		c := &cmapi.Certificate{}
		if err := objects.Get(ctx, r.key(), c); err != nil {
			return err
		}
		if c.Status.Revision == nil || *c.Status.Revision < revision {
			return fmt.Errorf("it is not issued: %+v", c.Status.Conditions)
		}
		return nil
	})
}

// renew has cert-manager renew the Certificate, as cmctl does, and returns when that was done.
func (r *rig) renew() time.Time {
	r.t.Helper()
	c := &cmapi.Certificate{}
	revision := 0
	r.eventually("the renewal to begin", func(ctx context.Context) error {
		if err := objects.Get(ctx, r.key(), c); err != nil {
			return err
		}
		revision = *c.Status.Revision
		apiutil.SetCertificateCondition(c, c.Generation, cmapi.CertificateConditionIssuing, cmmeta.ConditionTrue, "ManuallyTriggered", "by a test")
		return objects.Status().Update(ctx, c)
	})
	r.issued(revision + 1)
	return time.Now()
}

func (r *rig) key() client.ObjectKey { return client.ObjectKey{Namespace: r.namespace, Name: "web"} }

// server is a Deployment of the app.
type server struct {
	from     string // where its certificate comes from: once or watch
	replicas int32
	// port is what its pods say they listen at; the app does at 8443.
	port        int32
	annotations map[string]string
	// configMap says that the certificate is in a ConfigMap of the Secret's name.
	configMap bool
}

// deploy runs a server's pods under a name, and waits until they are ready.
func (r *rig) deploy(name string, s server) {
	r.t.Helper()
	kind := pods.App(s.from, s.annotations)
	change := kind.Change
	kind.Change = func(p *corev1.PodSpec) {
		change(p)
		p.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: s.port}}
		for i := range p.Volumes {
			if v := &p.Volumes[i]; s.configMap && v.Secret != nil && v.Secret.SecretName == secretName {
				v.VolumeSource = corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
					LocalObjectReference: corev1.LocalObjectReference{Name: secretName}, DefaultMode: v.Secret.DefaultMode,
				}}
			}
		}
	}
	r.run(name, s.replicas, kind)
	r.ready(name, s.replicas)
}

// run has replicas of a kind of server run as a Deployment, and does not wait for them.
func (r *rig) run(name string, replicas int32, kind pods.Server) {
	r.t.Helper()
	if kind.Config != "" {
		_, err := cluster.Client.CoreV1().ConfigMaps(r.namespace).Create(r.t.Context(), pods.ConfigMap(kind.Config), metav1.CreateOptions{})
		r.must(err)
	}
	labels, pod := map[string]string{"app": name, "test": "delivery"}, kind.Pod()
	pod.Spec.AutomountServiceAccountToken = new(false) // one volume less to set up
	_, err := cluster.Client.AppsV1().Deployments(r.namespace).Create(r.t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: pod.Annotations}, Spec: pod.Spec},
		},
	}, metav1.CreateOptions{})
	r.must(err)
}

// ready waits until so many pods of a Deployment are.
func (r *rig) ready(name string, replicas int32) {
	r.t.Helper()
	r.eventually("the pods of "+name, func(ctx context.Context) error {
		d, err := cluster.Client.AppsV1().Deployments(r.namespace).Get(ctx, name, metav1.GetOptions{})
		if err == nil && d.Status.ReadyReplicas != replicas {
			err = fmt.Errorf("%d of %d are ready", d.Status.ReadyReplicas, replicas)
		}
		return err
	})
}

// delivery reads what certwire says.
func (r *rig) delivery(ctx context.Context) (*v1alpha1.CertificateDelivery, error) {
	d := &v1alpha1.CertificateDelivery{}
	return d, objects.Get(ctx, r.key(), d)
}

type status = v1alpha1.CertificateDeliveryStatus

// becomes waits until the delivery is in a state, for a cause, with so many replicas, at a revision of the Certificate or a
// later one: on a busy machine cert-manager now and then issues twice for one request. It waits until the rest of what is
// said is right, too: what a test makes comes to certwire one object after the other, and it says something of each step.
func (r *rig) becomes(revision int64, state v1alpha1.DeliveryState, cause, replicas string, right ...func(status) bool) *v1alpha1.CertificateDelivery {
	r.t.Helper()
	var last *v1alpha1.CertificateDelivery
	r.eventually(fmt.Sprintf("revision %d to be %s %s %s", revision, state, cause, replicas), func(ctx context.Context) error {
		d, err := r.delivery(ctx)
		if err != nil {
			return err
		}
		last = d
		if s := d.Status; s.Revision < revision || s.State != state || s.Cause != cause || s.Replicas != replicas {
			return fmt.Errorf("revision %d is %s %s %s: %+v", s.Revision, s.State, s.Cause, s.Replicas, s.Endpoints)
		}
		for _, is := range right {
			if !is(d.Status) {
				return fmt.Errorf("it says %+v", d.Status)
			}
		}
		return nil
	})
	return last
}

// pods lists the pods of the namespace by their names.
func (r *rig) pods(ctx context.Context) ([]corev1.Pod, error) {
	list, err := cluster.Client.CoreV1().Pods(r.namespace).List(ctx, metav1.ListOptions{LabelSelector: "test=delivery"})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// events returns the reasons of the Certificate's Events.
func (r *rig) events() []string {
	r.t.Helper()
	list, err := cluster.Client.CoreV1().Events(r.namespace).List(r.t.Context(), metav1.ListOptions{FieldSelector: "involvedObject.kind=Certificate"})
	r.must(err)
	var out []string
	for _, e := range list.Items {
		out = append(out, e.Reason)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// eventually waits until condition returns nil.
func (r *rig) eventually(what string, condition func(context.Context) error) {
	r.t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(r.t.Context(), pollEvery, patience, true, func(ctx context.Context) (bool, error) {
		err := condition(ctx)
		if err == nil || last == nil || ctx.Err() == nil { // an end of patience says nothing of what was waited for
			last = err
		}
		return err == nil, nil
	})
	if err != nil {
		r.t.Fatalf("waiting for %s: %v: %v", what, err, last)
	}
}
