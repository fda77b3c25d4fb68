package inventory

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"slices"
	"testing"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/certwire/certwire/pkg/probe"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// chain is a certificate in PEM, and what follows it.
func chain(t *testing.T, serial int64) ([]byte, probe.Fingerprint) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{"b.example.com", "a.example.com"}, NotAfter: noon}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return append(text, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"...), probe.FingerprintOf(der)
}

func granted(name, revision string, at time.Time, certificate []byte) *cmapi.CertificateRequest {
	return &cmapi.CertificateRequest{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, CreationTimestamp: metav1.NewTime(at),
			Annotations: map[string]string{cmapi.CertificateNameKey: "web", cmapi.CertificateRequestRevisionAnnotationKey: revision},
		},
		Status: cmapi.CertificateRequestStatus{
			Certificate: certificate,
			Conditions: []cmapi.CertificateRequestCondition{{
				Type: cmapi.CertificateRequestConditionReady, Status: cmmeta.ConditionTrue, Reason: cmapi.CertificateRequestReasonIssued,
				LastTransitionTime: &metav1.Time{Time: at},
			}},
		},
	}
}

func TestALeafIsKeptOfAGrantedRequest(t *testing.T) {
	t.Parallel()
	certificate, fingerprint := chain(t, 0x3f9a)
	keep := func(r *cmapi.CertificateRequest) *Request {
		t.Helper()
		stripped, err := stripButLeaves(r)
		kept, ok := stripped.(*Request)
		if err != nil || !ok {
			t.Fatalf("%T, %v", stripped, err)
		}
		return kept
	}
	kept := keep(granted("web-1", "7", noon, certificate))
	if kept.Revision != 7 || !kept.IssuedAt.Equal(noon) || kept.Leaf.Fingerprint != fingerprint || kept.Leaf.Serial != "3f9a" ||
		!kept.Leaf.NotAfter.Equal(noon) || !slices.Equal(kept.Leaf.Names, []string{"a.example.com", "b.example.com"}) || kept.Leaf.Issuer != "" {
		t.Errorf("%+v %+v", kept, kept.Leaf)
	}
	if again, err := stripButLeaves(kept); err != nil || again != any(kept) {
		t.Errorf("a resync changes it: %+v, %v", again, err)
	}
	for sentence, certificate := range map[string][]byte{
		"none yet": nil, "garbage": []byte("x"), "a broken one": []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
	} {
		if kept := keep(granted("web-1", "7", noon, certificate)); kept.Leaf != nil {
			t.Errorf("%s: %+v", sentence, kept.Leaf)
		}
	}
	stripped, err := strip(granted("web-1", "7", noon, certificate))
	if plain, ok := stripped.(*Request); err != nil || !ok || plain.Leaf != nil {
		t.Errorf("it is kept although nobody wants it: %+v, %v", stripped, err)
	}
}

func TestIssuedIsWhatTheRequestOfTheRevisionHolds(t *testing.T) {
	t.Parallel()
	s := &stores{
		certificates: toolscache.NewSharedIndexInformer(nil, &cmapi.Certificate{}, 0, certificateIndexers),
		requests:     toolscache.NewSharedIndexInformer(nil, &cmapi.CertificateRequest{}, 0, requestIndexers),
	}
	i := New(Options{})
	if _, ok := i.Issued("shop", "web"); ok || i.AllIssued() != nil {
		t.Error("it knows of Certificates without cert-manager")
	}
	i.certManager.Store(s)
	certificate := &cmapi.Certificate{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "web", UID: "u", CreationTimestamp: metav1.NewTime(noon),
	}, Spec: cmapi.CertificateSpec{SecretName: "web-tls"}}
	add := func(to toolscache.SharedIndexInformer, object any) {
		t.Helper()
		if err := to.GetIndexer().Add(object); err != nil {
			t.Fatal(err)
		}
	}
	add(s.certificates, certificate)
	got, ok := i.Issued("shop", "web")
	if !ok || got.Revision != 0 || got.Leaf != nil || got.Secret != "web-tls" || got.UID != "u" || len(i.AllIssued()) != 1 {
		t.Errorf("before it is issued: %+v", got)
	}
	var want probe.Fingerprint
	for _, r := range []struct {
		name, revision string
		at             time.Time
		is             bool
	}{
		{"gone", "2", noon.Add(-time.Hour), false}, // of a Certificate that had this name before
		{"first", "1", noon.Add(time.Minute), false},
		{"failed", "2", noon.Add(2 * time.Minute), false}, // cert-manager began anew
		{"second", "2", noon.Add(3 * time.Minute), true},
		{"next", "3", noon.Add(4 * time.Minute), false}, // not in the Secret yet
	} {
		text, fingerprint := chain(t, 1)
		stripped, err := stripButLeaves(granted(r.name, r.revision, r.at, text))
		if err != nil {
			t.Fatal(err)
		}
		add(s.requests, stripped)
		if r.is {
			want = fingerprint
		}
	}
	issued := certificate.DeepCopy()
	issued.Status.Revision = new(2)
	add(s.certificates, issued)
	if got, _ := i.Issued("shop", "web"); got.Leaf == nil || got.Leaf.Fingerprint != want || !got.At.Equal(noon.Add(3*time.Minute)) {
		t.Errorf("%+v, want %s", got, want)
	}
	issued = issued.DeepCopy()
	issued.Status.Revision = new(9)
	add(s.certificates, issued)
	if got, _ := i.Issued("shop", "web"); got.Leaf != nil || got.Revision != 9 {
		t.Errorf("without its request: %+v", got)
	}
}

func TestARequestThatIsGrantedIsNewsOnceItIsInTheSecret(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		revision *int
		told     int
	}{
		"before the first Secret is written":           {nil, 0},
		"before the Secret is written":                 {new(1), 0},
		"after the Certificate has counted":            {new(2), 1},
		"for a Certificate that has been issued since": {new(3), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &stores{
				certificates: toolscache.NewSharedIndexInformer(nil, &cmapi.Certificate{}, 0, certificateIndexers),
				requests:     toolscache.NewSharedIndexInformer(nil, &cmapi.CertificateRequest{}, 0, requestIndexers),
			}
			told := 0
			i := New(Options{Issued: func(namespace, name string) {
				if told++; namespace != "shop" || name != "web" {
					t.Errorf("told of %s/%s", namespace, name)
				}
			}})
			i.certManager.Store(s)
			certificate := &cmapi.Certificate{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Status: cmapi.CertificateStatus{Revision: c.revision}}
			if err := s.certificates.GetIndexer().Add(certificate); err != nil {
				t.Fatal(err)
			}
			text, _ := chain(t, 1)
			stripped, err := stripButLeaves(granted("web-2", "2", noon, text))
			if err != nil {
				t.Fatal(err)
			}
			i.onRequest().OnAdd(stripped, false)
			if told != c.told {
				t.Errorf("told %d times, want %d", told, c.told)
			}
		})
	}
}
