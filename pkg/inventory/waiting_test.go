package inventory

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/certwire/certwire/pkg/diagnose"
)

// waiting is an inventory of one Certificate that waits for the proof of a name, and what it was told of.
type waiting struct {
	*Inventory
	told []string
}

func madeOf(name, owner, kind string) metav1.ObjectMeta {
	m := metav1.ObjectMeta{Namespace: "shop", Name: name, CreationTimestamp: metav1.NewTime(noon), Annotations: map[string]string{cmapi.CertificateNameKey: "web"}}
	if owner != "" {
		m.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: owner, Controller: new(true)}}
	}
	return m
}

func waitingFor(t *testing.T, reason string) *waiting {
	t.Helper()
	w := &waiting{}
	w.Inventory = New(Options{Issuance: func(namespace, certificate string) { w.told = append(w.told, namespace+"/"+certificate) }})
	s := &stores{
		certificates:   toolscache.NewSharedIndexInformer(nil, &cmapi.Certificate{}, 0, certificateIndexers),
		requests:       toolscache.NewSharedIndexInformer(nil, &cmapi.CertificateRequest{}, 0, requestIndexers),
		orders:         toolscache.NewSharedIndexInformer(nil, &acmeapi.Order{}, 0, orderIndexers),
		challenges:     toolscache.NewSharedIndexInformer(nil, &acmeapi.Challenge{}, 0, challengeIndexers),
		issuers:        toolscache.NewSharedIndexInformer(nil, &cmapi.Issuer{}, 0, nil),
		clusterIssuers: toolscache.NewSharedIndexInformer(nil, &cmapi.ClusterIssuer{}, 0, nil),
	}
	w.certManager.Store(s)
	w.put(t, s.certificates, certificateThatWaits())
	w.put(t, s.certificates, &cmapi.Certificate{ObjectMeta: madeOf("other", "", ""), Spec: cmapi.CertificateSpec{SecretName: "web-tls"}})
	w.put(t, s.requests, &cmapi.CertificateRequest{ObjectMeta: madeOf("web-1", "web", "Certificate"), Status: cmapi.CertificateRequestStatus{
		Conditions: []cmapi.CertificateRequestCondition{{Type: cmapi.CertificateRequestConditionApproved, Status: cmmeta.ConditionTrue}},
	}})
	w.put(t, s.orders, &acmeapi.Order{ObjectMeta: madeOf("web-1-1", "web-1", "CertificateRequest"), Status: acmeapi.OrderStatus{State: acmeapi.Pending, URL: "u"}})
	w.put(t, s.challenges, challengeThatWaits(reason))
	w.put(t, s.clusterIssuers, &cmapi.ClusterIssuer{ObjectMeta: metav1.ObjectMeta{Name: "le"}, Spec: cmapi.IssuerSpec{IssuerConfig: cmapi.IssuerConfig{ACME: &acmeapi.ACMEIssuer{Server: "https://ca.test"}}},
		Status: cmapi.IssuerStatus{Conditions: []cmapi.IssuerCondition{{Type: cmapi.IssuerConditionReady, Status: cmmeta.ConditionTrue}}}})
	return w
}

func certificateThatWaits() *cmapi.Certificate {
	return &cmapi.Certificate{
		ObjectMeta: madeOf("web", "", ""),
		Spec:       cmapi.CertificateSpec{SecretName: "web-tls", IssuerRef: cmmeta.IssuerReference{Name: "le", Kind: "ClusterIssuer"}},
		Status: cmapi.CertificateStatus{
			NextPrivateKeySecretName: new("web-x"), LastFailureTime: &metav1.Time{Time: noon}, FailedIssuanceAttempts: new(2),
			Conditions: []cmapi.CertificateCondition{{Type: cmapi.CertificateConditionIssuing, Status: cmmeta.ConditionTrue, Message: strings.Repeat("x", 5000)}},
		},
	}
}

func challengeThatWaits(reason string) *acmeapi.Challenge {
	return &acmeapi.Challenge{
		ObjectMeta: madeOf("web-1-1-1", "web-1-1", "Order"), Spec: acmeapi.ChallengeSpec{DNSName: "www.example.com", Type: acmeapi.ACMEChallengeTypeHTTP01},
		Status: acmeapi.ChallengeStatus{State: acmeapi.Pending, Processing: true, Presented: true, Reason: reason},
	}
}

// put stores what the cache keeps of an object.
func (w *waiting) put(t *testing.T, into toolscache.SharedIndexInformer, object any) any {
	t.Helper()
	kept, err := stripButLeaves(object)
	if err == nil {
		err = into.GetIndexer().Add(kept)
	}
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

func TestTheCacheTellsWhyACertificateWaits(t *testing.T) {
	t.Parallel()
	w := waitingFor(t, "Waiting for HTTP-01 challenge propagation: wrong status code '404', expected '200'")
	f, ok := w.Issuance("shop", "web")
	if !ok || f.Request == nil || f.Order == nil || len(f.Challenges) != 1 || len(f.Sharing) != 1 || !f.Issuer.Ready || f.Ingresses != nil {
		t.Fatalf("%+v", f)
	}
	f.Now = noon.Add(time.Hour)
	if d, _ := diagnose.Diagnose(f); d.Cause != diagnose.SelfCheck404 {
		t.Errorf("it says %s: %s", d.Cause, d.Message)
	}
	if f.Certificate.Failures != 2 || !f.Certificate.Key || !f.Certificate.Failed.Equal(noon) || len(f.Certificate.Issuing.Message) > 1024 {
		t.Errorf("of the Certificate it knows %+v", f.Certificate)
	}
	if _, ok := w.Issuance("shop", "gone"); ok {
		t.Error("it knows of a Certificate that there is not")
	}
	if _, ok := New(Options{}).Issuance("shop", "web"); ok {
		t.Error("it knows of Certificates without cert-manager")
	}
}

func TestAnIssuerOfAMisspelledKindIsMissing(t *testing.T) {
	t.Parallel()
	w := waitingFor(t, "")
	c := certificateThatWaits()
	c.Spec.IssuerRef.Kind = "Clusterissuer"
	w.put(t, w.certManager.Load().certificates, c)
	w.put(t, w.certManager.Load().issuers, &cmapi.Issuer{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "le"}})
	if f, _ := w.Issuance("shop", "web"); f.Issuer.Found || f.Issuer.Ref.Kind != "Clusterissuer" {
		t.Errorf("it knows %+v", f.Issuer)
	}
}

func TestOnlyAChallengeThatWaitsAsksForTheOthers(t *testing.T) {
	t.Parallel()
	w := waitingFor(t, "")
	s := w.certManager.Load()
	other := challengeThatWaits("")
	other.Namespace, other.Name = "blog", "other"
	w.put(t, s.challenges, other)
	if f, _ := w.Issuance("shop", "web"); f.Busy != nil {
		t.Errorf("%d others for one that is worked at", len(f.Busy))
	}
	mine := challengeThatWaits("")
	mine.Status.Processing = false
	w.put(t, s.challenges, mine)
	if f, _ := w.Issuance("shop", "web"); len(f.Busy) != 1 || f.Busy[0].Namespace != "blog" {
		t.Errorf("it waits for %+v", f.Busy)
	}
}

func TestNothingIsKeptWhereNobodyAsks(t *testing.T) {
	t.Parallel()
	for _, object := range []any{certificateThatWaits(), challengeThatWaits("x"), &acmeapi.Order{ObjectMeta: madeOf("o", "r", "CertificateRequest")}, &cmapi.CertificateRequest{ObjectMeta: madeOf("r", "web", "Certificate")}} {
		kept, err := strip(object)
		if err != nil {
			t.Fatal(err)
		}
		switch k := kept.(type) {
		case *cmapi.Certificate:
			if k.Status.Conditions != nil || k.Status.LastFailureTime != nil {
				t.Errorf("of a Certificate: %+v", k.Status)
			}
		case *Challenge:
			if k.Waiting != nil {
				t.Errorf("of a Challenge: %+v", k.Waiting)
			}
		case *Order:
			if k.Waiting != nil {
				t.Errorf("of an Order: %+v", k.Waiting)
			}
		case *Request:
			if k.Waiting != nil {
				t.Errorf("of a CertificateRequest: %+v", k.Waiting)
			}
		default:
			t.Errorf("%T", kept)
		}
	}
}

func TestWhatHasComeToAnEndIsNotKept(t *testing.T) {
	t.Parallel()
	valid := challengeThatWaits("")
	valid.Status.State = acmeapi.Valid
	order := &acmeapi.Order{ObjectMeta: madeOf("o", "r", "CertificateRequest"), Status: acmeapi.OrderStatus{State: acmeapi.Valid}}
	certificate, _ := chain(t, 1)
	for _, object := range []any{valid, order, granted("web-1", "1", noon, certificate)} {
		kept, err := stripButLeaves(object)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := stripButLeaves(kept); err != nil || again != kept {
			t.Errorf("a resync changes %T", kept)
		}
		switch k := kept.(type) {
		case *Challenge:
			if k.Waiting != nil {
				t.Error("a Challenge is")
			}
		case *Order:
			if k.Waiting != nil {
				t.Error("an Order is")
			}
		case *Request:
			if k.Waiting != nil {
				t.Error("a CertificateRequest is")
			}
		}
	}
}

func TestAChangeOfAnythingItWaitsForIsTold(t *testing.T) {
	t.Parallel()
	w := waitingFor(t, "")
	changes := func(sentence string, handler toolscache.ResourceEventHandler, before, after any, want int) {
		t.Helper()
		w.told = nil
		if after == nil {
			handler.OnDelete(before)
		} else {
			handler.OnUpdate(before, after)
		}
		if got := slices.DeleteFunc(slices.Clone(w.told), func(s string) bool { return s != "shop/web" }); len(got) != want || len(got) != len(w.told) {
			t.Errorf("%s: told of %v, want %d", sentence, w.told, want)
		}
	}
	keep := func(object any) any {
		kept, err := stripButLeaves(object)
		if err != nil {
			t.Fatal(err)
		}
		return kept
	}
	plain, failing := keep(challengeThatWaits("")), keep(challengeThatWaits("wrong status code"))
	changes("a Challenge's reason", w.onChallenge(), plain, failing, 1)
	changes("the same once more", w.onChallenge(), failing, keep(challengeThatWaits("wrong status code")), 0)
	changes("a Challenge is gone", w.onChallenge(), failing, nil, 1)
	orderIn := func(state acmeapi.State) any {
		return keep(&acmeapi.Order{ObjectMeta: madeOf("web-1-1", "web-1", "CertificateRequest"), Status: acmeapi.OrderStatus{State: state}})
	}
	changes("an Order's state", w.onOrder(), orderIn(acmeapi.Pending), orderIn(acmeapi.Invalid), 1)
	changes("an Order is valid", w.onOrder(), orderIn(acmeapi.Pending), orderIn(acmeapi.Valid), 1)
	changes("an Order as it was", w.onOrder(), orderIn(acmeapi.Pending), orderIn(acmeapi.Pending), 0)
	request := func(reason string) any {
		return keep(&cmapi.CertificateRequest{ObjectMeta: madeOf("web-1", "web", "Certificate"), Status: cmapi.CertificateRequestStatus{
			Conditions: []cmapi.CertificateRequestCondition{{Type: cmapi.CertificateRequestConditionReady, Status: cmmeta.ConditionFalse, Reason: "Pending", Message: reason}},
		}})
	}
	changes("a request's condition", w.onRequest(), request("a"), request("b"), 1)
	changes("a request as it was", w.onRequest(), request("a"), request("a"), 0)
	ready := certificateThatWaits()
	ready.Status.Conditions, ready.Status.LastFailureTime = nil, nil
	changes("a Certificate's conditions", w.onWaiting(), keep(certificateThatWaits()), keep(ready), 1)
	changes("a Certificate as it was", w.onWaiting(), keep(ready), keep(ready.DeepCopy()), 0)
	issuer := func(ready cmmeta.ConditionStatus) any {
		return keep(&cmapi.ClusterIssuer{ObjectMeta: metav1.ObjectMeta{Name: "le"}, Status: cmapi.IssuerStatus{Conditions: []cmapi.IssuerCondition{{Type: cmapi.IssuerConditionReady, Status: ready, Message: "m"}}}})
	}
	changes("its issuer becomes ready", w.onIssuer(), issuer(cmmeta.ConditionFalse), issuer(cmmeta.ConditionTrue), 1)
	changes("its issuer is gone", w.onIssuer(), issuer(cmmeta.ConditionTrue), nil, 1)
	changes("its issuer as it was", w.onIssuer(), issuer(cmmeta.ConditionTrue), issuer(cmmeta.ConditionTrue), 0)
	addressed := func(yes bool) any {
		in := &networkingv1.Ingress{ObjectMeta: madeOf("solver", "web-1-1-1", "Challenge")}
		if yes {
			in.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "192.0.2.1"}}
		}
		kept, err := stripSolver(in)
		if err != nil {
			t.Fatal(err)
		}
		return kept
	}
	changes("the address of its Ingress", handler(w.onSolver), addressed(false), addressed(true), 1)
	changes("its Ingress as it was", handler(w.onSolver), addressed(true), addressed(true), 0)
	named := challengeThatWaits("")
	named.Spec.Solver.HTTP01 = &acmeapi.ACMEChallengeSolverHTTP01{Ingress: &acmeapi.ACMEChallengeSolverHTTP01Ingress{IngressClassName: new("nginx")}}
	changes("an IngressClass that is gone, and no class of its own", handler(w.onClass), "nginx", nil, 0)
	w.put(t, w.certManager.Load().challenges, named)
	changes("an IngressClass that is gone", handler(w.onClass), "nginx", nil, 1)
	another := keep(&cmapi.Issuer{ObjectMeta: metav1.ObjectMeta{Namespace: "blog", Name: "le"}})
	changes("an Issuer of another namespace", w.onIssuer(), another, nil, 0)
}

func TestTheIngressOfAChallengeIsFound(t *testing.T) {
	t.Parallel()
	kept, err := stripSolver(&networkingv1.Ingress{ObjectMeta: madeOf("solver", "web-1-1-1", "Challenge")})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := solverIndexers[byChallenge](kept)
	if err != nil || fmt.Sprint(keys) != "[shop/web-1-1-1]" {
		t.Errorf("%v, %v", keys, err)
	}
	if again, err := stripSolver(kept); err != nil || again != kept {
		t.Errorf("a resync changes it: %v, %v", again, err)
	}
}
