package walk

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/chain"
	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/cluster"
	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/delivery"
	"github.com/certwire/certwire/pkg/probe"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// rig is a cluster in memory with a Certificate that was renewed once, and what its pods serve. Nothing is dialled.
type rig struct {
	t          *testing.T
	old, fresh []byte
	objects    []client.Object
	forbidden  []string // resources that the caller may not read
	serves     map[string]probe.Result
	options    Options
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, serves: map[string]probe.Result{}, options: Options{System: "certwire-system", Now: noon}}
	r.old, r.fresh = certificate(t, 1, noon.AddDate(0, -2, 0)), certificate(t, 2, noon.Add(-time.Hour))
	renewal, revision := metav1.NewTime(noon.AddDate(0, 2, 0)), 2
	r.objects = []client.Object{
		&cmapi.Certificate{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
			Spec:       cmapi.CertificateSpec{SecretName: "web-tls", IssuerRef: cmmeta.IssuerReference{Kind: "ClusterIssuer", Name: "le"}},
			Status: cmapi.CertificateStatus{Revision: &revision, RenewalTime: &renewal, Conditions: []cmapi.CertificateCondition{
				{Type: cmapi.CertificateConditionReady, Status: cmmeta.ConditionTrue},
			}},
		},
		request("web-1", "1", r.old, noon.AddDate(0, -2, 0)), request("web-2", "2", r.fresh, noon.Add(-time.Hour)),
		secret("web-tls", r.fresh), pod("web-0"), pod("web-1"),
	}
	return r
}

func certificate(t *testing.T, serial int64, from time.Time) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{"www.example.com", "*.shop.example.com"}, NotBefore: from, NotAfter: from.AddDate(0, 3, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func request(name, revision string, text []byte, at time.Time) *cmapi.CertificateRequest {
	when := metav1.NewTime(at)
	return &cmapi.CertificateRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Annotations: map[string]string{
			cmapi.CertificateNameKey: "web", cmapi.CertificateRequestRevisionAnnotationKey: revision,
		}},
		Status: cmapi.CertificateRequestStatus{Certificate: text, Conditions: []cmapi.CertificateRequestCondition{
			{Type: cmapi.CertificateRequestConditionReady, Status: cmmeta.ConditionTrue, LastTransitionTime: &when},
		}},
	}
}

func secret(name string, text []byte) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Data: map[string][]byte{"tls.crt": text, "tls.key": []byte("PRIVATE")}}
}

func pod(name string) *corev1.Pod {
	started := metav1.NewTime(noon.AddDate(0, -1, 0))
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{"pod-template-hash": "abc"}, OwnerReferences: []metav1.OwnerReference{
			{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-abc", Controller: new(true)},
		}},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{
				Name: "server", Ports: []corev1.ContainerPort{{ContainerPort: 8443}}, VolumeMounts: []corev1.VolumeMount{{Name: "tls", MountPath: "/tls"}},
			}},
			Volumes: []corev1.Volume{{Name: "tls", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "web-tls"}}}},
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: "10.0.0.1", StartTime: &started,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
}

// shows is what a look at a server with a certificate shows.
func (r *rig) shows(text []byte) probe.Result {
	leaf, err := leafIn(text)
	if err != nil {
		r.t.Fatal(err)
	}
	return probe.Result{State: probe.Served, Leaf: leaf}
}

// dials has the walk look at pods, which serve what r.serves says.
func (r *rig) dials() {
	r.options.Reach = func(_ context.Context, _, name string) (func(context.Context, delivery.Place) probe.Result, func(), error) {
		result, ok := r.serves[name]
		if !ok {
			return nil, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "pods/portforward"}, name, nil)
		}
		return func(context.Context, delivery.Place) probe.Result { return result }, func() {}, nil
	}
}

func (r *rig) look() chain.Facts {
	r.t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, cmapi.AddToScheme, acmeapi.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			r.t.Fatal(err)
		}
	}
	refuse := func(kind string) error {
		for _, f := range r.forbidden {
			if strings.HasPrefix(kind, f) {
				return apierrors.NewForbidden(schema.GroupResource{Resource: f}, "", errors.New("no"))
			}
		}
		return nil
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(r.objects...).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
			kind, _ := c.GroupVersionKindFor(o)
			if err := refuse(kind.Kind); err != nil {
				return err
			}
			return c.Get(ctx, key, o, options...)
		},
		List: func(ctx context.Context, c client.WithWatch, o client.ObjectList, options ...client.ListOption) error {
			kind, _ := c.GroupVersionKindFor(o)
			if err := refuse(kind.Kind); err != nil {
				return err
			}
			return c.List(ctx, o, options...)
		},
	}).Build()
	facts, err := Look(r.t.Context(), &cluster.Cluster{Client: c, Namespace: "shop"}, "web", r.options)
	if err != nil {
		r.t.Fatal(err)
	}
	return facts
}

func states(f chain.Facts) string {
	var out []string
	for _, p := range f.Places {
		out = append(out, p.Pod+p.For+p.Host+"="+p.State)
	}
	return strings.Join(out, " ")
}

func TestWithoutCertwireNobodyHasLooked(t *testing.T) {
	t.Parallel()
	f := newRig(t).look()
	if got := states(f); got != "web-0=unseen web-1=unseen" {
		t.Error(got)
	}
	if f.Certificate.Leaf.Serial != "2" || f.Certificate.From != "CertificateRequest web-2" || !f.Certificate.Issued.Equal(noon.Add(-time.Hour)) || f.Certificate.Issuer != "ClusterIssuer le" {
		t.Errorf("%+v", f.Certificate)
	}
	if text, err := json.Marshal(f); err != nil || strings.Contains(string(text), "PRIVATE") {
		t.Errorf("the key is among the facts (%v): %s", err, text)
	}
	if f.Secret.Leaf != f.Certificate.Leaf || f.Places[0].Workload != "Deployment/web" || !strings.Contains(f.Wire, "--dial") {
		t.Errorf("%+v %+v %s", f.Secret, f.Places, f.Wire)
	}
}

func TestItLooksItself(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.dials()
	r.serves["web-0"], r.serves["web-1"] = r.shows(r.fresh), r.shows(r.old)
	done := 0
	r.options.Progress = func(n, of int) {
		if of != 2 {
			t.Errorf("%d of %d", n, of)
		}
		done = max(done, n)
	}
	f := r.look()
	if got := states(f); got != "web-0=current web-1=previous" || f.Places[1].Leaf.Serial != "1" || f.Places[1].Port != "8443" {
		t.Errorf("%s %+v", got, f.Places)
	}
	if tree := chain.Assemble(f); tree.Layer != chain.LayerPod || tree.Remedies[0] != "kubectl rollout restart deployment/web -n shop" {
		t.Errorf("%+v", tree)
	}
	if done != 2 {
		t.Errorf("it told of %d", done)
	}
}

// A pod need not declare its ports: Services know where they send its callers.
func TestPortsAreThoseOfServices(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, o := range r.objects {
		if p, ok := o.(*corev1.Pod); ok {
			p.UID, p.Spec.Containers[0].Ports = types.UID(p.Name), nil
		}
	}
	r.dials()
	r.serves["web-0"], r.serves["web-1"] = r.shows(r.fresh), r.shows(r.fresh)
	if got := states(r.look()); got != "web-0=no-port web-1=no-port" {
		t.Errorf("without a Service: %s", got)
	}
	r.objects = append(r.objects, &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "shop", Name: "web-abc", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: new("https"), Port: new(int32(9443)), Protocol: new(corev1.ProtocolTCP)}},
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: "web-0", UID: "web-0"}}},
	})
	f := r.look()
	if got := states(f); got != "web-0=current web-1=no-port" || f.Places[0].Port != "9443" {
		t.Errorf("%s %+v", got, f.Places)
	}
}

func TestWhoMayNotForwardIsToldSo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.dials()
	r.serves["web-0"] = r.shows(r.fresh)
	f := r.look()
	if got := states(f); got != "web-0=current web-1=unseen" || len(f.Unseen) != 1 || !strings.Contains(f.Unseen[0], "pods/portforward") {
		t.Errorf("%s %q", got, f.Unseen)
	}
}

// delivered is a CertificateDelivery of a rig's newest certificate.
func (r *rig) delivered(endpoints ...v1alpha1.DeliveryEndpoint) *v1alpha1.CertificateDelivery {
	leaf, err := leafIn(r.fresh)
	if err != nil {
		r.t.Fatal(err)
	}
	return &v1alpha1.CertificateDelivery{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Status: v1alpha1.CertificateDeliveryStatus{
			State: v1alpha1.DeliveryStale, Cause: "partial", Revision: 2, Oldest: "2026-12-25 12:00 UTC", Endpoints: endpoints,
			Leaf:     &v1alpha1.DeliveredLeaf{Fingerprint: string(leaf.Fingerprint), Serial: leaf.Serial, NotBefore: metav1.NewTime(leaf.NotBefore), NotAfter: metav1.NewTime(leaf.NotAfter)},
			Mirrors:  []v1alpha1.DeliveryMirror{{Namespace: "edge", Name: "copy", Tool: "reflector", State: "previous", Serial: "1"}},
			Issuance: &v1alpha1.DeliveryIssuance{Cause: "rate-limited", Message: "too many", Until: &metav1.Time{Time: noon.Add(time.Hour)}},
		},
	}
}

func TestWhatCertwireHasSeen(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.forbidden = []string{"Secret"}
	copied := pod("proxy-0")
	copied.Namespace = "edge"
	copied.Spec.Volumes[0].Secret.SecretName = "copy"
	r.objects = append(r.objects, copied, pod("web-2"), r.delivered(
		v1alpha1.DeliveryEndpoint{Pod: "web-1", Port: "8443", State: "previous", Serial: "1"},
		v1alpha1.DeliveryEndpoint{Pod: "web-0", Port: "8443", State: "current", Serial: "2"},
		v1alpha1.DeliveryEndpoint{Namespace: "ingress-nginx", Pod: "controller-0", For: "Ingress/web", Port: "443", State: "default", Serial: "99"},
	))
	f := r.look()
	if got := states(f); got != "proxy-0=unseen controller-0Ingress/web=default web-0=current web-1=previous web-2=unseen" {
		t.Error(got)
	}
	for _, p := range f.Places {
		if p.Pod == "proxy-0" && p.Secret != "edge/copy" || p.Pod == "controller-0" && p.Layer != chain.LayerFront || p.Pod == "web-1" && p.Workload != "Deployment/web" {
			t.Errorf("%+v", p)
		}
	}
	if f.Certificate.Stuck != nil || len(f.Mirrors) != 1 || !strings.Contains(f.Wire, "is Stale, partial") {
		t.Errorf("%+v %+v %s", f.Certificate, f.Mirrors, f.Wire)
	}
}

func TestPodsThatADeliveryHasNoRoomFor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var listed []v1alpha1.DeliveryEndpoint
	for i := range delivery.MaxListed {
		name := fmt.Sprintf("many-%02d", i)
		r.objects = append(r.objects, pod(name))
		listed = append(listed, v1alpha1.DeliveryEndpoint{Pod: name, State: "current", Serial: "2"})
	}
	d := r.delivered(listed...)
	d.Status.State, d.Status.Cause, d.Status.Verified = v1alpha1.DeliveryDelivered, "", &metav1.Time{Time: noon.Add(-time.Minute)}
	late, began := pod("web-late"), metav1.NewTime(noon)
	late.Status.StartTime = &began
	r.objects = append(r.objects, d, late)
	got := states(r.look())
	for _, want := range []string{"web-0=current", "web-1=current", "web-late=unseen"} {
		if !strings.Contains(got, want) {
			t.Errorf("not there: %s in %s", want, got)
		}
	}
}

func TestTheOneOtherCertificateEndsWhenTheOldestDoes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.objects = append(r.objects, r.delivered(v1alpha1.DeliveryEndpoint{Pod: "web-1", State: "previous", Serial: "1"}))
	for _, p := range r.look().Places {
		if p.Pod == "web-1" && !p.Leaf.NotAfter.Equal(time.Date(2026, 12, 25, 12, 0, 0, 0, time.UTC)) {
			t.Errorf("%+v", p)
		}
	}
}

func TestADeliveryOfAnOlderCertificateIsNotBelieved(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := r.delivered(v1alpha1.DeliveryEndpoint{Pod: "web-0", State: "current", Serial: "1"})
	d.Status.Leaf.Fingerprint = strings.Repeat("0", 64)
	r.objects = append(r.objects, d)
	if f := r.look(); states(f) != "web-0=unseen web-1=unseen" || !strings.Contains(f.Wire, "not of this revision yet") {
		t.Errorf("%s %s", states(f), f.Wire)
	}
}

func TestTheSecretStandsForARequestThatIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.forbidden = []string{"CertificateRequest"}
	r.dials()
	r.serves["web-0"], r.serves["web-1"] = r.shows(r.fresh), r.shows(r.fresh)
	f := r.look()
	if f.Certificate.Leaf.Serial != "" || states(f) != "web-0=current web-1=current" || len(f.Unseen) != 1 {
		t.Errorf("%+v %s %q", f.Certificate, states(f), f.Unseen)
	}
}

func TestWhatMayNotBeReadIsNoted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.forbidden = []string{"Secret", "Pod", "Ingress"}
	f := r.look()
	if f.Secret.Unseen != "you may not read it" || f.MirrorsUnseen != "you may not read it" || len(f.Places) != 0 || len(f.Unseen) != 2 {
		t.Errorf("%+v %+v %q", f.Secret, f.Places, f.Unseen)
	}
}

func TestNamesOfIngressesAreDialledIfTheCertificateIsForThem(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.objects = append(r.objects, &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Spec: networkingv1.IngressSpec{TLS: []networkingv1.IngressTLS{
			{SecretName: "web-tls", Hosts: []string{"www.example.com", "a.shop.example.com", "*.shop.example.com", "169.254.169.254", "elsewhere.example.org"}},
			{SecretName: "other", Hosts: []string{"other.example.com"}},
		}},
	})
	r.options.Public = func(_ context.Context, host string) probe.Result {
		if host == "www.example.com" {
			return r.shows(r.old)
		}
		return probe.Result{State: probe.Unreachable, Cause: probe.CauseName}
	}
	if got := states(r.look()); got != "Ingress/web=unseen a.shop.example.com=unreachable www.example.com=previous web-0=unseen web-1=unseen" {
		t.Error(got)
	}
}

func TestWhatIsInTheWayOfTheNextCertificate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, _ := r.objects[0].(*cmapi.Certificate)
	failed := metav1.NewTime(noon.Add(-10 * time.Minute))
	c.Status.LastFailureTime, c.Status.FailedIssuanceAttempts = &failed, new(2)
	f := r.look()
	if f.Certificate.Stuck == nil || f.Certificate.Stuck.Cause != "backoff" {
		t.Errorf("by what the caller may see: %+v", f.Certificate.Stuck)
	}
	if tree := chain.Assemble(f); tree.Layer != chain.LayerIssuance || tree.ExitCode() != 1 {
		t.Errorf("%+v", tree)
	}

	r = newRig(t)
	c, _ = r.objects[0].(*cmapi.Certificate)
	c.Status.Conditions = append(c.Status.Conditions, cmapi.CertificateCondition{Type: cmapi.CertificateConditionIssuing, Status: cmmeta.ConditionTrue, LastTransitionTime: &metav1.Time{Time: noon}})
	r.objects = append(r.objects, r.delivered())
	r.forbidden = []string{"Order", "Challenge", "ClusterIssuer"}
	if f := r.look(); f.Certificate.Stuck == nil || f.Certificate.Stuck.Cause != "rate-limited" || f.Certificate.Stuck.Until.IsZero() {
		t.Errorf("by what certwire has written down: %+v", f.Certificate.Stuck)
	}
}

func TestCopiesAreFoundByWhatTheyHold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	copied, own, user := secret("copy", r.old), secret("own", r.old), pod("proxy-0")
	copied.Namespace, own.Namespace, user.Namespace = "edge", "edge", "edge"
	user.Spec.Volumes[0].Secret.SecretName = "copy"
	r.objects = append(r.objects, copied, own, user,
		&cmapi.Certificate{ObjectMeta: metav1.ObjectMeta{Namespace: "edge", Name: "own"}, Spec: cmapi.CertificateSpec{SecretName: "own"}})
	r.dials()
	r.serves["web-0"], r.serves["web-1"], r.serves["proxy-0"] = r.shows(r.fresh), r.shows(r.fresh), r.shows(r.old)
	f := r.look()
	if len(f.Mirrors) != 1 || f.Mirrors[0].Name != "copy" || f.Mirrors[0].State != "previous" || f.Mirrors[0].Leaf.Serial != "1" || f.Mirrors[0].Remedy == "" {
		t.Errorf("%+v", f.Mirrors)
	}
	if tree := chain.Assemble(f); tree.Layer != chain.LayerMirror || len(tree.Remedies) != 1 {
		t.Errorf("%+v", tree)
	}
}

// behindIngress are an Ingress of a controller, its Service, and a pod behind it.
func behindIngress() []client.Object {
	controller := pod("controller-0")
	controller.Namespace, controller.UID, controller.Spec.Volumes = "ingress-nginx", "c0", nil
	controller.Spec.ServiceAccountName = "ingress-nginx"
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ingress-nginx", Name: "controller"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "https", Port: 443}}},
	}
	service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.1"}}
	ingress := &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Spec:       networkingv1.IngressSpec{TLS: []networkingv1.IngressTLS{{SecretName: "web-tls", Hosts: []string{"www.example.com"}}}},
	}
	ingress.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "192.0.2.1"}}
	return []client.Object{controller, service, ingress, &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ingress-nginx", Name: "controller-1", Labels: map[string]string{discoveryv1.LabelServiceName: "controller"}},
		Ports:      []discoveryv1.EndpointPort{{Name: new("https"), Port: new(int32(8443))}},
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{"10.0.0.1"}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: "ingress-nginx", Name: "controller-0", UID: "c0"},
		}},
	}}
}

func TestWhatAnIngressControllerServes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.objects = append(r.objects, behindIngress()...)
	if got := states(r.look()); got != "controller-0Ingress/web=unseen web-0=unseen web-1=unseen" {
		t.Errorf("nobody has looked: %s", got)
	}
	r.dials()
	r.serves["web-0"], r.serves["web-1"] = r.shows(r.fresh), r.shows(r.fresh)
	r.serves["controller-0"] = probe.Result{State: probe.Served, Leaf: probe.Leaf{Serial: "99", Names: []string{"ingress.local"}}}
	f := r.look()
	if got := states(f); got != "controller-0Ingress/web=default web-0=current web-1=current" {
		t.Error(got)
	}
	tree := chain.Assemble(f)
	if tree.Layer != chain.LayerFront || tree.Remedies[0] != "kubectl auth can-i get secrets -n shop --as=system:serviceaccount:ingress-nginx:ingress-nginx" {
		t.Errorf("%+v", tree)
	}
}

func TestAnIngressThatNobodyServes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	all := behindIngress()
	r.objects = append(r.objects, all[0], all[2], all[3])
	f := r.look()
	if got := f.Places[0]; got.For != "Ingress/web" || got.State != chain.Unseen || !strings.Contains(got.Cause, "192.0.2.1") {
		t.Errorf("%+v", got)
	}
}
