package diagnose

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/certwire/certwire/test/golden"
)

// now is when every golden case is looked at.
var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// answer is want.yaml.
type answer struct {
	Cause   Cause  `json:"cause,omitempty"`
	Message string `json:"message,omitempty"`
	Next    string `json:"next,omitempty"`
	Until   string `json:"until,omitempty"`
	// Again is when to look again.
	Again string `json:"again,omitempty"`
}

// A case is a folder under testdata: in.yaml has the objects of a cluster at noon of 2026-11-25, of which the first
// Certificate is diagnosed; want.yaml is what is said. A folder is all it takes to add one, and one that is named after a
// cause, or begins with one and a dot, must have it. UPDATE_GOLDEN=true writes want.yaml anew.
func TestGolden(t *testing.T) {
	t.Parallel()
	seen := map[Cause]bool{}
	for _, path := range golden.Cases(t, "testdata/*/in.yaml", len(causes)) {
		dir := filepath.Dir(path)
		name, _, _ := strings.Cut(filepath.Base(dir), ".")
		if _, ok := About(Cause(name)); ok {
			seen[Cause(name)] = true
		}
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			d, again := Diagnose(read(t, path).Facts(now))
			if _, ok := About(Cause(name)); ok != (d.Cause != "") || (ok && d.Cause != Cause(name)) {
				t.Errorf("the cause is %q", d.Cause)
			}
			got, err := yaml.Marshal(answer{d.Cause, d.Message, d.Next, stamp(d.Until), stamp(again)})
			if err != nil {
				t.Fatal(err)
			}
			golden.Same(t, filepath.Join(dir, "want.yaml"), string(got))
		})
	}
	for _, info := range Causes() {
		if !seen[info.Cause] {
			t.Errorf("no golden case has cause %s", info.Cause)
		}
	}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// read makes Objects of the documents in a file.
func read(t *testing.T, path string) Objects {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var o Objects
	var issuers []cmapi.ClusterIssuer
	decoder := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		doc, err := decoder.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		var kind metav1.TypeMeta
		must(t, yaml.Unmarshal(doc, &kind))
		switch kind.Kind {
		case "Certificate":
			o.Certificates = append(o.Certificates, decode[cmapi.Certificate](t, doc))
		case "CertificateRequest":
			o.Requests = append(o.Requests, decode[cmapi.CertificateRequest](t, doc))
		case "Order":
			o.Orders = append(o.Orders, decode[acmeapi.Order](t, doc))
		case "Challenge":
			o.Challenges = append(o.Challenges, decode[acmeapi.Challenge](t, doc))
		case "Ingress":
			o.Ingresses = append(o.Ingresses, decode[networkingv1.Ingress](t, doc))
		case "IngressClass":
			o.Classes = append(o.Classes, decode[networkingv1.IngressClass](t, doc).Name)
		case "ClusterIssuer", "Issuer":
			issuers = append(issuers, decode[cmapi.ClusterIssuer](t, doc))
		default:
			t.Fatalf("%s: a %q", path, kind.Kind)
		}
	}
	o.Certificate = &o.Certificates[0]
	for _, i := range issuers {
		if ref := Ref(o.Certificate); i.Kind == ref.Kind && i.Name == ref.Name {
			issuer := NewIssuer(ref, &i.Spec, &i.Status)
			o.Issuer = &issuer
		}
	}
	return o
}

func decode[T any](t *testing.T, doc []byte) T {
	t.Helper()
	var out T
	must(t, yaml.UnmarshalStrict(doc, &out))
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
