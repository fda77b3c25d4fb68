package admission

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/ledger"
	"github.com/certwire/certwire/pkg/policy"
)

// meter is a fake of the ledger with fixed answers; the real one has tests of its own and is used end to end.
type meter struct {
	assessed, reserved policy.Budget
	notReady, away     error
	calls              []string
	last               ledger.Order
}

func (m *meter) Ready() error { return m.notReady }
func (m *meter) Assess(o ledger.Order) policy.Budget {
	m.last = o
	return m.assessed
}
func (m *meter) Note(o ledger.Order) { m.calls = append(m.calls, o.UID+" noted") }
func (m *meter) Reserve(_ context.Context, o ledger.Order, enforce bool) (policy.Budget, error) {
	m.calls = append(m.calls, fmt.Sprint(o.UID, " ", enforce))
	return m.reserved, m.away
}

var (
	production = map[string]string{"certwire.dev/issuance": "deny", "certwire.dev/environment": "production"}
	warned     = map[string]string{"certwire.dev/issuance": "warn", "certwire.dev/environment": "production"}
	free       = policy.Budget{Known: true, Allowed: true, Bucket: policy.Bucket{Limit: acme.CertificatesPerSet, Count: 5}}
	empty      = policy.Budget{
		Known: true, CA: acme.Directory{Host: "acme-v02.api.letsencrypt.org", CA: acme.LetsEncrypt, Stage: acme.Production},
		Bucket: policy.Bucket{
			Limit: acme.CertificatesPerSet, Of: "shop.example.com", Used: 5, Count: 5, Period: 168 * time.Hour,
			Next: time.Date(2026, 11, 25, 2, 36, 1, 0, time.UTC),
		},
		Consumers: []policy.Consumer{{Name: "shop/web", Orders: 5}},
	}
)

func metered(t testing.TB, name string, labels map[string]string, m Meter) (*Hook, *Guard) {
	t.Helper()
	h := known(t, name, labels)
	guard, ok := h.Reviewer.(*Guard)
	if !ok {
		t.Fatalf("reviewer %T", h.Reviewer)
	}
	guard.Meter = m
	return h, guard
}

const meteredOrder = `{"metadata":{"name":"web-1-7","uid":"o-1","annotations":{"cert-manager.io/certificate-name":"web"}},
"spec":{"issuerRef":{"name":"prod"},"dnsNames":["Shop.example.com"],"commonName":"shop.example.com"}}`

func TestAnOrderTakesItsPlaceOrIsRefused(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		meter   meter
		labels  map[string]string
		body    string
		allowed bool
		calls   []string
		text    string
	}{
		"with budget it takes its place":         {meter{assessed: free, reserved: free}, production, reviewOf("acme.cert-manager.io", "Order", "CREATE", meteredOrder, ""), true, []string{"o-1 true"}, ""},
		"without budget it is refused at once":   {meter{assessed: empty}, production, reviewOf("acme.cert-manager.io", "Order", "CREATE", meteredOrder, ""), false, nil, "at least 5 are used; the next order is possible at 2026-11-25 02:37 UTC. Used most by shop/web (5). It is tried again by itself"},
		"another replica may have been quicker":  {meter{assessed: free, reserved: empty}, production, reviewOf("acme.cert-manager.io", "Order", "CREATE", meteredOrder, ""), false, []string{"o-1 true"}, "at least 5 are used; the next order is possible at"},
		"where rules only warn it always passes": {meter{assessed: empty, reserved: free}, warned, reviewOf("acme.cert-manager.io", "Order", "CREATE", meteredOrder, ""), true, []string{"o-1 false"}, ""},
		"nobody knows, so it waits":              {meter{assessed: free, away: errors.New("away")}, production, reviewOf("acme.cert-manager.io", "Order", "CREATE", meteredOrder, ""), false, []string{"o-1 true"}, "cert-manager tries again by itself"},
		"where rules only warn, nobody waits":    {meter{assessed: free, away: errors.New("away")}, warned, reviewOf("acme.cert-manager.io", "Order", "CREATE", meteredOrder, ""), true, []string{"o-1 false", "o-1 noted"}, ""},
		"a dry run takes nothing":                {meter{assessed: free}, production, strings.Replace(reviewOf("acme.cert-manager.io", "Order", "CREATE", meteredOrder, ""), `"dryRun":false`, `"dryRun":true`, 1), true, nil, ""},
		"a dry run is refused all the same":      {meter{assessed: empty}, production, strings.Replace(reviewOf("acme.cert-manager.io", "Order", "CREATE", meteredOrder, ""), `"dryRun":false`, `"dryRun":true`, 1), false, nil, "at least 5 are used"},
		"an update takes nothing":                {meter{assessed: empty}, production, reviewOf("acme.cert-manager.io", "Order", "UPDATE", meteredOrder, order), true, nil, ""},
		"where rules only warn, it does not":     {meter{notReady: errors.New("filling")}, warned, reviewOf("acme.cert-manager.io", "Order", "CREATE", meteredOrder, ""), true, nil, ""},
		"while the budgets are read, it waits":   {meter{notReady: errors.New("filling")}, production, reviewOf("acme.cert-manager.io", "Order", "CREATE", meteredOrder, ""), false, nil, "could not decide"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			m := c.meter
			h, _ := metered(t, "orders", c.labels, &m)
			a := post(t, h, c.body)
			if a.Response.Allowed != c.allowed || !strings.Contains(a.Response.Status.Message, c.text) || !slices.Equal(m.calls, c.calls) {
				t.Errorf("answer %s after %v", a.text, m.calls)
			}
			if m.calls != nil && (m.last.Certificate != "web" || !slices.Equal(m.last.Names, []string{"shop.example.com"})) {
				t.Errorf("metered as %+v", m.last)
			}
			if again := post(t, h, c.body); again.text != a.text {
				t.Errorf("the answer is not stable:\n%s\n%s", a.text, again.text)
			}
		})
	}
}

// pair makes a certificate of its own and its key.
func pair(t *testing.T, curve elliptic.Curve, notBefore, notAfter time.Time, names ...string) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: notBefore, NotAfter: notAfter, DNSNames: names,
	}, &x509.Certificate{Subject: pkix.Name{CommonName: "ca"}}, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	rawKey, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: rawKey})
}

// reads is a fake of the API server's Secrets and requests.
type reads struct {
	secret  *corev1.Secret
	request *cmapi.CertificateRequest
	err     error
}

func (r reads) Secret(context.Context, string, string) (*corev1.Secret, error) {
	return r.secret, r.err
}
func (r reads) Request(_ context.Context, _, name string) (*cmapi.CertificateRequest, error) {
	if r.request == nil || r.request.Name != name {
		return nil, r.err
	}
	return r.request, r.err
}

const usedUp = `{"metadata":{"name":"web","namespace":"shop"},"spec":{"secretName":"web-tls","dnsNames":["shop.example.com"],
"issuerRef":{"name":"prod","kind":"ClusterIssuer"},"privateKey":{"algorithm":"ECDSA"}}}`

func TestACreationIsRefusedOnlyIfItWouldOrder(t *testing.T) {
	t.Parallel()
	now := time.Now()
	good := func(change func(*corev1.Secret)) *corev1.Secret {
		crt, key := pair(t, elliptic.P256(), now.Add(-24*time.Hour), now.Add(89*24*time.Hour), "shop.example.com")
		s := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{
				cmapi.IssuerNameAnnotationKey: "prod", cmapi.IssuerKindAnnotationKey: "ClusterIssuer", cmapi.IssuerGroupAnnotationKey: "cert-manager.io",
				cmapi.CertificateNameKey: "web",
			}},
			Data: map[string][]byte{corev1.TLSCertKey: crt, corev1.TLSPrivateKeyKey: key},
		}
		if change != nil {
			change(s)
		}
		return s
	}
	other := func(notBefore, notAfter time.Time, curve elliptic.Curve, names ...string) func(*corev1.Secret) {
		return func(s *corev1.Secret) {
			s.Data[corev1.TLSCertKey], s.Data[corev1.TLSPrivateKeyKey] = pair(t, curve, notBefore, notAfter, names...)
		}
	}
	type outcome int
	const (
		passes outcome = iota
		warns
		refused
	)
	for sentence, c := range map[string]struct {
		secrets   Secrets
		creations []bool
		born      time.Time
		want      outcome
	}{
		"its Secret is good":                             {reads{secret: good(nil)}, []bool{true, true}, now, passes},
		"its Secret is gone":                             {reads{}, []bool{false}, time.Time{}, refused},
		"its Secret has garbage":                         {reads{secret: good(func(s *corev1.Secret) { s.Data[corev1.TLSCertKey] = []byte("x") })}, nil, now, refused},
		"its Secret has no key":                          {reads{secret: good(func(s *corev1.Secret) { delete(s.Data, corev1.TLSPrivateKeyKey) })}, nil, now, refused},
		"its Secret's key belongs to another":            {reads{secret: good(func(s *corev1.Secret) { _, s.Data[corev1.TLSPrivateKeyKey] = pair(t, elliptic.P256(), now, now) })}, nil, now, refused},
		"its Secret is of another issuer":                {reads{secret: good(func(s *corev1.Secret) { s.Annotations[cmapi.IssuerNameAnnotationKey] = "staging" })}, nil, now, refused},
		"its Secret is of an Issuer":                     {reads{secret: good(func(s *corev1.Secret) { s.Annotations[cmapi.IssuerKindAnnotationKey] = "Issuer" })}, nil, now, refused},
		"its Secret is of another Certificate":           {reads{secret: good(func(s *corev1.Secret) { s.Annotations[cmapi.CertificateNameKey] = "old" })}, nil, now, refused},
		"its Secret has other names":                     {reads{secret: good(other(now.Add(-time.Hour), now.Add(time.Hour), elliptic.P256(), "else.example.com"))}, nil, now, refused},
		"its Secret has another kind of key":             {reads{secret: good(other(now.Add(-time.Hour), now.Add(99*time.Hour), elliptic.P521(), "shop.example.com"))}, nil, now, refused},
		"its Secret is due":                              {reads{secret: good(other(now.Add(-80*time.Hour), now.Add(10*time.Hour), elliptic.P256(), "shop.example.com"))}, nil, now, refused},
		"its Secret cannot be read":                      {reads{err: errors.New("forbidden")}, nil, now, warns},
		"nothing is known in an old namespace":           {nil, nil, now.Add(-24 * time.Hour), warns},
		"nothing is known, not even the namespace's age": {nil, nil, time.Time{}, warns},
		"nothing is known in a new namespace":            {nil, nil, now.Add(-time.Minute), refused},
		"the last creation did not order":                {nil, []bool{true, true, false}, now, passes},
		"the last two creations ordered":                 {nil, []bool{false, true, true}, now.Add(-24 * time.Hour), refused},
		"only one creation was seen, and ordered":        {nil, []bool{true}, now, warns},
		"it ordered this time and not the time before":   {nil, []bool{false, true}, now, warns},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			h, guard := metered(t, "guard", production, &meter{assessed: empty})
			guard.Secrets = c.secrets
			cl, ok := guard.Issuance.(cluster)
			if !ok {
				t.Fatal("not the fake")
			}
			cl.creations, cl.born = c.creations, c.born
			guard.Issuance = cl
			a := post(t, h, reviewOf("cert-manager.io", "Certificate", "CREATE", usedUp, ""))
			about := slices.ContainsFunc(a.Response.Warnings, func(w string) bool { return strings.Contains(w, "if this orders, the Order is refused") })
			got := passes
			switch {
			case !a.Response.Allowed && strings.Contains(a.Response.Status.Message, "#budget"):
				got = refused
			case about:
				got = warns
			}
			if got != c.want {
				t.Errorf("outcome %d, want %d: %s", got, c.want, a.text)
			}
		})
	}
}

func TestAnUpdateIsRefusedOnlyIfItWouldOrder(t *testing.T) {
	t.Parallel()
	now := time.Now()
	const format = `{"metadata":{"name":"web","namespace":"shop","generation":2},"spec":{"secretName":"web-tls","dnsNames":[%q],
"issuerRef":{"name":"prod","kind":"ClusterIssuer"},"privateKey":{"algorithm":"ECDSA"}%s},"status":{"revision":3,"notBefore":%q,"notAfter":%q%s}}`
	text := func(name, spec, status string) string {
		return fmt.Sprintf(format, name, spec, now.Add(-40*24*time.Hour).UTC().Format(time.RFC3339), now.Add(50*24*time.Hour).UTC().Format(time.RFC3339), status)
	}
	csr := func(name string) *cmapi.CertificateRequest {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{name}}, crypto.Signer(private))
		if err != nil {
			t.Fatal(err)
		}
		return &cmapi.CertificateRequest{
			ObjectMeta: metav1.ObjectMeta{Name: "web-3"},
			Spec: cmapi.CertificateRequestSpec{
				Request:   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
				IssuerRef: cmmeta.IssuerReference{Name: "prod", Kind: "ClusterIssuer"},
			},
		}
	}
	for sentence, c := range map[string]struct {
		old, updated string
		requests     Requests
		refused      bool
	}{
		"other names order":                        {text("old.example.com", "", ""), text("shop.example.com", "", ""), nil, true},
		"back to what was issued last orders not":  {text("old.example.com", "", ""), text("shop.example.com", "", ""), reads{request: csr("shop.example.com")}, false},
		"but it does while another is on its way":  {text("old.example.com", "", ""), text("shop.example.com", "", `,"conditions":[{"type":"Issuing","status":"True"}]`), reads{request: csr("shop.example.com")}, true},
		"the last request was for other names":     {text("old.example.com", "", ""), text("shop.example.com", "", ""), reads{request: csr("old.example.com")}, true},
		"an earlier renewal that is now orders":    {text("shop.example.com", "", ""), text("shop.example.com", `,"renewBefore":"1500h"`, ""), nil, true},
		"an earlier renewal that is not now waits": {text("shop.example.com", "", ""), text("shop.example.com", `,"renewBefore":"800h"`, ""), nil, false},
		"a template orders nothing":                {text("shop.example.com", "", ""), text("shop.example.com", `,"secretTemplate":{"labels":{"a":"b"}}`, ""), nil, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			h, guard := metered(t, "guard", production, &meter{assessed: empty})
			guard.Requests = c.requests
			a := post(t, h, reviewOf("cert-manager.io", "Certificate", "UPDATE", c.updated, c.old))
			if refused := !a.Response.Allowed && strings.Contains(a.Response.Status.Message, "#budget"); refused != c.refused {
				t.Errorf("refused %v: %s", refused, a.text)
			}
		})
	}
}
