package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

func parse(t *testing.T, kind Kind, text string) Object {
	t.Helper()
	raw, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o, err := Parse(kind, raw)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestParseIssuer(t *testing.T) {
	t.Parallel()
	ref := func(name, kind, group string) *IssuerRef { r := NewIssuerRef(name, kind, group); return &r }
	for sentence, c := range map[string]struct {
		kind Kind
		text string
		want *IssuerRef
	}{
		"kind and group are defaulted":                           {Certificate, `spec: {issuerRef: {name: a}}`, ref("a", "Issuer", "cert-manager.io")},
		"empty kind and group are defaulted":                     {Order, `spec: {issuerRef: {name: a, kind: "", group: ""}}`, ref("a", "Issuer", "cert-manager.io")},
		"a ClusterIssuer stays one":                              {CertificateRequest, `spec: {issuerRef: {name: a, kind: ClusterIssuer}}`, ref("a", "ClusterIssuer", "cert-manager.io")},
		"a spec without an issuer names the empty one":           {Certificate, `spec: {}`, ref("", "Issuer", "cert-manager.io")},
		"an Ingress names a ClusterIssuer":                       {Ingress, `{metadata: {annotations: {cert-manager.io/cluster-issuer: a}}, spec: {tls: [{hosts: [h]}]}}`, ref("a", "ClusterIssuer", "cert-manager.io")},
		"an Ingress names an Issuer":                             {Ingress, `{metadata: {annotations: {cert-manager.io/issuer: a}}, spec: {tls: [{}]}}`, ref("a", "Issuer", "cert-manager.io")},
		"a Gateway names an external issuer":                     {Gateway, `{metadata: {annotations: {cert-manager.io/issuer: a, cert-manager.io/issuer-kind: P, cert-manager.io/issuer-group: g}}, spec: {listeners: [{}, {tls: {certificateRefs: [{name: s}]}}]}}`, ref("a", "P", "g")},
		"the kind annotation may say ClusterIssuer":              {Ingress, `{metadata: {annotations: {cert-manager.io/issuer: a, cert-manager.io/issuer-kind: ClusterIssuer}}, spec: {tls: [{}]}}`, ref("a", "ClusterIssuer", "cert-manager.io")},
		"an Ingress without annotations names none":              {Ingress, `metadata: {}`, nil},
		"both annotations contradict each other, as in the shim": {Ingress, `{metadata: {annotations: {cert-manager.io/issuer: a, cert-manager.io/cluster-issuer: b}}, spec: {tls: [{}]}}`, nil},
		"a cluster issuer with a kind contradicts itself":        {Ingress, `{metadata: {annotations: {cert-manager.io/cluster-issuer: b, cert-manager.io/issuer-kind: Issuer}}, spec: {tls: [{}]}}`, nil},
		"the default issuer of tls-acme is seen at the Order":    {Ingress, `{metadata: {annotations: {kubernetes.io/tls-acme: "true"}}, spec: {tls: [{}]}}`, nil},
		"an Ingress without TLS asks for no certificate":         {Ingress, `{metadata: {annotations: {cert-manager.io/issuer: a}}, spec: {rules: []}}`, nil},
		"a Gateway of plain listeners asks for no certificate":   {Gateway, `{metadata: {annotations: {cert-manager.io/issuer: a}}, spec: {listeners: [{port: 80}, {tls: {mode: Passthrough}}]}}`, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, parse(t, c.kind, c.text).Issuer); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseRest(t *testing.T) {
	t.Parallel()
	o := parse(t, Certificate, `
metadata: {generateName: web-, deletionTimestamp: "2026-01-01T00:00:00Z", ownerReferences: [{kind: X}, {kind: Ingress, controller: true}]}
spec: {issuerRef: {name: a, fieldOfTheFuture: 1}}`)
	if o.Name != "web-?" || !o.Deleting || !o.ShimMade() {
		t.Errorf("name %q, deleting %v, shim %v", o.Name, o.Deleting, o.ShimMade())
	}
	if got := parse(t, IssuerKind, `spec: {acme: {server: "https://x"}}`).Server; got != "https://x" {
		t.Errorf("server %q", got)
	}
	for _, bad := range []string{`{"spec":{"issuerRef":[]}}`, `{"metadata":7}`, `{"spec":`, `[]`, `{"metadata":{"name":"a","name":"b"}}`} {
		if _, err := Parse(Certificate, []byte(bad)); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

func TestRelevant(t *testing.T) {
	t.Parallel()
	const cert = `spec: {secretName: s, dnsNames: [a.example, b.example], issuerRef: {name: i}, privateKey: {rotationPolicy: Never}}`
	for sentence, c := range map[string]struct {
		kind     Kind
		old, new string
		want     bool
	}{
		"the same Certificate":                             {Certificate, cert, cert, false},
		"names in another order":                           {Certificate, cert, `spec: {secretName: s, dnsNames: [b.example, a.example], issuerRef: {name: i}}`, false},
		"a name more":                                      {Certificate, cert, `spec: {secretName: s, dnsNames: [a.example, b.example, c.example], issuerRef: {name: i}}`, true},
		"a name twice":                                     {Certificate, cert, `spec: {secretName: s, dnsNames: [a.example, b.example, b.example], issuerRef: {name: i}}`, true},
		"defaults of the issuerRef spelled out":            {Certificate, cert, `spec: {secretName: s, dnsNames: [a.example, b.example], issuerRef: {name: i, kind: Issuer, group: cert-manager.io}}`, false},
		"another issuer":                                   {Certificate, cert, `spec: {secretName: s, dnsNames: [a.example, b.example], issuerRef: {name: i, kind: ClusterIssuer}}`, true},
		"another Secret":                                   {Certificate, cert, `spec: {secretName: t, dnsNames: [a.example, b.example], issuerRef: {name: i}}`, true},
		"the default key spelled out":                      {Certificate, cert, `spec: {secretName: s, dnsNames: [a.example, b.example], issuerRef: {name: i}, privateKey: {algorithm: RSA, size: 2048}}`, false},
		"another key":                                      {Certificate, cert, `spec: {secretName: s, dnsNames: [a.example, b.example], issuerRef: {name: i}, privateKey: {algorithm: ECDSA}}`, true},
		"a duration spelled differently":                   {Certificate, `spec: {duration: 2160h, issuerRef: {name: i}}`, `spec: {duration: 2160h0m0s, issuerRef: {name: i}}`, false},
		"another duration":                                 {Certificate, `spec: {duration: 2160h, issuerRef: {name: i}}`, `spec: {duration: 2161h, issuerRef: {name: i}}`, true},
		"the default curve spelled out":                    {Certificate, `spec: {privateKey: {algorithm: ECDSA}, issuerRef: {name: i}}`, `spec: {privateKey: {algorithm: ECDSA, size: 256}, issuerRef: {name: i}}`, false},
		"the default usages spelled out":                   {Certificate, `spec: {issuerRef: {name: i}}`, `spec: {usages: [key encipherment, digital signature], issuerRef: {name: i}}`, false},
		"another renewBefore":                              {Certificate, cert, `spec: {secretName: s, dnsNames: [a.example, b.example], issuerRef: {name: i}, renewBefore: 720h}`, true},
		"empty lists and false are as good as absent":      {Certificate, cert, `spec: {secretName: s, dnsNames: [a.example, b.example], issuerRef: {name: i}, uris: [], isCA: false, commonName: ""}`, false},
		"what only re-writes the Secret":                   {Certificate, cert, `spec: {secretName: s, dnsNames: [a.example, b.example], issuerRef: {name: i}, secretTemplate: {labels: {a: b}}, revisionHistoryLimit: 3, keystores: {jks: {create: true}}}`, false},
		"a field of the future":                            {Certificate, cert, `spec: {secretName: s, dnsNames: [a.example, b.example], issuerRef: {name: i}, fieldOfTheFuture: 1}`, false},
		"labels, annotations, finalizers, status":          {Certificate, cert, cert + "\nmetadata: {labels: {a: b}, annotations: {c: d}, finalizers: [e]}\nstatus: {revision: 2}", false},
		"a subject whose members changed places":           {Certificate, `spec: {subject: {countries: [DE], localities: [B]}, issuerRef: {name: i}}`, `spec: {subject: {localities: [B], countries: [DE]}, issuerRef: {name: i}}`, false},
		"an Order's labels":                                {Order, `spec: {request: eA==, issuerRef: {name: i}}`, `{metadata: {labels: {a: b}}, spec: {request: eA==, issuerRef: {name: i}}}`, false},
		"an Order's issuer":                                {Order, `spec: {request: eA==, issuerRef: {name: i}}`, `spec: {request: eA==, issuerRef: {name: j}}`, true},
		"an Issuer's directory spelled differently":        {IssuerKind, `spec: {acme: {server: "https://a.example/directory"}}`, `spec: {acme: {server: "https://A.example:443/dir", email: x@example.com}}`, false},
		"an Issuer's directory":                            {IssuerKind, `spec: {acme: {server: "https://a.example/directory"}}`, `spec: {acme: {server: "https://b.example/directory"}}`, true},
		"an Issuer's e-mail address":                       {IssuerKind, `spec: {acme: {server: "https://a.example", email: a@example.com}}`, `spec: {acme: {server: "https://a.example", email: b@example.com}}`, false},
		"an Issuer's solvers":                              {IssuerKind, `spec: {acme: {server: "https://a.example", solvers: [{http01: {}}]}}`, `spec: {acme: {server: "https://a.example", solvers: [{dns01: {}}]}}`, true},
		"an Issuer's empty selector":                       {IssuerKind, `spec: {acme: {server: "https://a.example", solvers: [{http01: {}}]}}`, `spec: {acme: {server: "https://a.example", solvers: [{http01: {}, selector: {}}]}}`, false},
		"an Issuer's profile":                              {IssuerKind, `spec: {acme: {server: "https://a.example"}}`, `spec: {acme: {server: "https://a.example", profile: x}}`, true},
		"an Issuer's external account":                     {IssuerKind, `spec: {acme: {server: "https://a.example"}}`, `spec: {acme: {server: "https://a.example", externalAccountBinding: {keyID: x, keySecretRef: {name: s}}}}`, true},
		"an Issuer that is not ACME":                       {IssuerKind, `spec: {ca: {secretName: a}}`, `spec: {ca: {secretName: b}}`, false},
		"when renewals may be":                             {Certificate, `spec: {issuerRef: {name: i}}`, `spec: {issuerRef: {name: i}, renewal: {policy: Disabled}}`, true},
		"an Issuer that becomes ACME":                      {ClusterIssuer, `spec: {selfSigned: {}}`, `spec: {acme: {server: "https://b.example/directory"}}`, true},
		"an Ingress's rules":                               {Ingress, `{metadata: {annotations: {cert-manager.io/issuer: a}}, spec: {tls: [{hosts: [h]}], rules: []}}`, `{metadata: {annotations: {cert-manager.io/issuer: a, other: b}}, spec: {tls: [{hosts: [h]}], rules: [{host: h}]}}`, false},
		"an Ingress's hosts":                               {Ingress, `spec: {tls: [{hosts: [h]}]}`, `spec: {tls: [{hosts: [i]}]}`, true},
		"an Ingress's issuer":                              {Ingress, `metadata: {annotations: {cert-manager.io/issuer: a}}`, `{metadata: {annotations: {cert-manager.io/cluster-issuer: a}}, spec: {tls: [{hosts: [h]}]}}`, true},
		"a Gateway's listeners":                            {Gateway, `spec: {listeners: [{hostname: h}]}`, `spec: {listeners: [{hostname: i}]}`, true},
		"a private key of the wrong type on both sides is": {Certificate, `spec: {privateKey: 7, issuerRef: {name: i}}`, `spec: {privateKey: 7, issuerRef: {name: i}}`, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			old := parse(t, c.kind, c.old)
			if got := Relevant(&old, parse(t, c.kind, c.new)); got != c.want {
				t.Errorf("relevant: %v, want %v", got, c.want)
			}
		})
	}
	if !Relevant(nil, parse(t, Certificate, cert)) {
		t.Error("a creation is always relevant")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"metadata":{"name":"a"},"spec":{"issuerRef":{"name":"i"},"dnsNames":["a"],"privateKey":{}}}`))
	f.Add([]byte(`{"metadata":{"annotations":{"cert-manager.io/issuer":"i"}},"spec":{"tls":[{}]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, kind := range []Kind{Certificate, CertificateRequest, Order, IssuerKind, ClusterIssuer, Ingress, Gateway} {
			o, err := Parse(kind, raw)
			if err != nil {
				continue
			}
			if Relevant(&o, o) {
				t.Errorf("%s: an object differs from itself: %s", kind, raw)
			}
		}
	})
}
