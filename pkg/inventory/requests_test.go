package inventory

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"slices"
	"testing"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestWhichRequestsAreHeldUp(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "Shop.example.com"}, DNSNames: []string{"www.example.com", "shop.example.com"}, IPAddresses: []net.IP{net.IPv4(203, 0, 113, 7)},
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	csr := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	const prefix = "Failed create new order resource shop/web-1-7: "
	for sentence, c := range map[string]struct{ status, reason, message, want string }{
		"one whose Order was refused":          {"False", "Pending", prefix + `admission webhook "orders.guard.certwire.dev" denied the request: Order shop/web-1-7 is not placed`, "Order shop/web-1-7 is not placed"},
		"one for which no replica answered":    {"False", "Pending", prefix + `Internal error occurred: failed calling webhook "orders.guard.certwire.dev": failed to call webhook: EOF`, `failed calling webhook "orders.guard.certwire.dev": failed to call webhook: EOF`},
		"not one that another webhook refused": {"False", "Pending", prefix + `admission webhook "orders.example.com" denied the request: no`, ""},
		"not one that waits for its order":     {"False", "Pending", `Waiting on certificate issuance from order shop/web-1-7: "pending"`, ""},
		"not one that failed":                  {"False", "Failed", prefix + `admission webhook "orders.guard.certwire.dev" denied the request: x`, ""},
		"not one that is ready":                {"True", "Issued", "", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			r := &cmapi.CertificateRequest{
				ObjectMeta: metav1.ObjectMeta{Name: "web-1", Namespace: "shop", Annotations: map[string]string{cmapi.CertificateNameKey: "web"}},
				Spec:       cmapi.CertificateRequestSpec{Request: csr, IssuerRef: cmmeta.IssuerReference{Name: "le", Kind: "ClusterIssuer"}},
				Status: cmapi.CertificateRequestStatus{Conditions: []cmapi.CertificateRequestCondition{{
					Type: cmapi.CertificateRequestConditionReady, Status: cmmeta.ConditionStatus(c.status), Reason: c.reason, Message: c.message,
				}}},
			}
			got := stripRequest(r)
			if got.Refusal != c.want || got.Certificate != "web" {
				t.Fatalf("%+v", got)
			}
			if want := []string{"203.0.113.7", "shop.example.com", "www.example.com"}; c.want != "" && !slices.Equal(got.Names, want) {
				t.Errorf("names %v", got.Names)
			}
			if c.want == "" && got.Names != nil {
				t.Errorf("names %v are kept of a request that is not held up", got.Names)
			}
		})
	}
	if got := namesIn([]byte("garbage")); got != nil {
		t.Errorf("names %v in garbage", got)
	}
}
