package mirror_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/certwire/certwire/pkg/mirror"
	"github.com/certwire/certwire/pkg/probe"
)

// secret is a Secret as cert-manager writes it, and more that must not be kept.
func secret(t testing.TB) *corev1.Secret {
	t.Helper()
	pair := certificates(t)["current"]
	at := metav1.NewTime(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "web-tls", UID: "1d9f", ResourceVersion: "812",
			Labels:      map[string]string{"team": "secret-team"},
			Annotations: map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "secret-annotation", "reflector.v1.k8s.emberstack.com/reflects": "a/b"},
			ManagedFields: []metav1.ManagedFieldsEntry{
				{Manager: "cert-manager-certificates-issuing", Time: &at, FieldsV1: metav1.NewFieldsV1(`{"f:data":{"f:tls.crt":{}}}`)},
				{Manager: "kubectl-annotate", Time: &metav1.Time{Time: at.Add(time.Hour)}, FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{}}`)},
			},
		},
		Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{"tls.crt": pair.CertPEM(), "tls.key": pair.KeyPEM(), "password": []byte("secret-password")},
	}
}

func TestNothingSecretIsKept(t *testing.T) {
	t.Parallel()
	in := secret(t)
	kept := mirror.Lean(in)
	if kept.Leaf == nil || len(kept.Marks) != 1 || kept.Writer != "cert-manager-certificates-issuing" || kept.Written.Hour() != 12 {
		t.Fatalf("kept %+v", kept)
	}
	text, err := json.Marshal(kept)
	if err != nil {
		t.Fatal(err)
	}
	// %+v shows unexported fields, too.
	text = fmt.Appendf(text, "%+v %+v", *kept, kept.Marks)
	key, _ := base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Split(in.Data["tls.key"], []byte("\n"))[1:4], nil)))
	for _, secret := range []string{"secret-", "PRIVATE", "BEGIN", string(in.Data["tls.key"]), string(in.Data["tls.key"][40:80]), string(key)} {
		if secret != "" && bytes.Contains(text, []byte(secret)) {
			t.Errorf("%q is kept in %s", secret, text)
		}
	}
	// What it points at is not the Secret's memory: that may be overwritten.
	before := fmt.Sprintf("%+v %+v", *kept.Leaf, kept.Marks)
	for _, value := range in.Data {
		clear(value)
	}
	if after := fmt.Sprintf("%+v %+v", *kept.Leaf, kept.Marks); after != before {
		t.Errorf("it changed from %s to %s", before, after)
	}
}

func TestWhoHasWrittenIt(t *testing.T) {
	t.Parallel()
	entry := func(manager string, second int64, owns string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Time: &metav1.Time{Time: time.Unix(second, 0)}, FieldsV1: metav1.NewFieldsV1(owns)}
	}
	const certificate, key = `{"f:data":{".":{},"f:tls.crt":{}}}`, `{"f:data":{"f:tls.key":{}}}`
	for sentence, c := range map[string]struct {
		fields []metav1.ManagedFieldsEntry
		want   string
	}{
		"nobody is known":                       {nil, ""},
		"the only one":                          {[]metav1.ManagedFieldsEntry{entry("a", 1, certificate)}, "a at 1"},
		"the last one":                          {[]metav1.ManagedFieldsEntry{entry("a", 1, certificate), entry("b", 2, certificate)}, "b at 2"},
		"who took it over in the same second":   {[]metav1.ManagedFieldsEntry{entry("a", 1, key), entry("b", 1, certificate)}, "b at 1"},
		"who has the certificate, not the key":  {[]metav1.ManagedFieldsEntry{entry("a", 1, certificate), entry("b", 2, key)}, "a at 1"},
		"other data, where nobody has that":     {[]metav1.ManagedFieldsEntry{entry("a", 1, `{"f:data":{"f:server.pem":{}}}`), entry("b", 2, `{"f:metadata":{}}`)}, "a at 1"},
		"one whose time nobody knows is passed": {[]metav1.ManagedFieldsEntry{{Manager: "a", FieldsV1: metav1.NewFieldsV1(certificate)}, entry("b", 2, certificate)}, "b at 2"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			in := secret(t)
			in.ManagedFields = c.fields
			got := ""
			if kept := mirror.Lean(in); kept.Writer != "" {
				got = fmt.Sprintf("%s at %d", kept.Writer, kept.Written.Unix())
			}
			if got != c.want {
				t.Errorf("written by %q, want %q", got, c.want)
			}
		})
	}
}

func TestWhatIsOfNoInterestIsItsName(t *testing.T) {
	t.Parallel()
	in := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "database", UID: "u", ResourceVersion: "1", Labels: map[string]string{"a": "b"},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "m", Time: &metav1.Time{Time: time.Unix(0, 0)}, FieldsV1: metav1.NewFieldsV1(`{"f:data":{}}`)}}},
		Data: map[string][]byte{"password": []byte("hunter2"), "ca.crt": certificates(t)["ca"].CertPEM()},
	}
	want := &mirror.Secret{Namespace: "shop", Name: "database", UID: "u", ResourceVersion: "1", Type: corev1.SecretTypeOpaque}
	if diff := gocmp.Diff(want, mirror.Lean(in)); diff != "" {
		t.Error(diff)
	}
}

func TestACacheCanKeepIt(t *testing.T) {
	t.Parallel()
	kept := mirror.Lean(secret(t))
	if key, err := cache.MetaNamespaceKeyFunc(kept); err != nil || key != kept.Key() {
		t.Errorf("%q, %v", key, err)
	}
	if m, err := meta.Accessor(kept); err != nil || m.GetResourceVersion() != "812" || m.GetUID() != "1d9f" {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestLeaves(t *testing.T) {
	t.Parallel()
	pairs := certificates(t)
	leaf, other, ca := pairs["current"].CertPEM(), pairs["foreign"].CertPEM(), pairs["ca"].CertPEM()
	chain := append(bytes.Clone(leaf), ca...)
	for sentence, c := range map[string]struct {
		data map[string][]byte
		want string
	}{
		"the first of a chain":                          {map[string][]byte{"tls.crt": chain}, "web.example.com"},
		"with text before it":                           {map[string][]byte{"tls.crt": append([]byte("subject=CN\n"), leaf...)}, "web.example.com"},
		"a CA that is itself the Secret's":              {map[string][]byte{"tls.crt": ca}, "ca"},
		"tls.crt goes before other keys":                {map[string][]byte{"a.pem": other, "tls.crt": leaf}, "web.example.com"},
		"another key, after its private key":            {map[string][]byte{"combined.pem": append(pairs["current"].KeyPEM(), leaf...)}, "web.example.com"},
		"the first key that holds a leaf":               {map[string][]byte{"ca.crt": ca, "server.pem": leaf, "z.pem": other}, "web.example.com"},
		"a CA under another key is none":                {map[string][]byte{"ca.crt": ca}, ""},
		"nothing":                                       {nil, ""},
		"an empty key":                                  {map[string][]byte{"tls.crt": {}}, ""},
		"a private key alone":                           {map[string][]byte{"tls.key": pairs["current"].KeyPEM()}, ""},
		"text that says it is one":                      {map[string][]byte{"tls.crt": []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")}, ""},
		"half of one":                                   {map[string][]byte{"tls.crt": leaf[:len(leaf)/2]}, ""},
		"more than is read, in another key":             {map[string][]byte{"big.pem": append(bytes.Repeat([]byte("x"), 64<<10), leaf...)}, ""},
		"too far behind in tls.crt":                     {map[string][]byte{"tls.crt": append(bytes.Repeat([]byte("x"), 64<<10), leaf...)}, ""},
		"a tls.crt that cannot be read, and another":    {map[string][]byte{"tls.crt": []byte("x"), "server.pem": leaf}, "web.example.com"},
		"a long tls.crt with the leaf at its beginning": {map[string][]byte{"tls.crt": append(bytes.Clone(leaf), bytes.Repeat([]byte("\n"), 100<<10)...)}, "web.example.com"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			got := ""
			if kept := mirror.Lean(&corev1.Secret{Data: c.data}); kept.Leaf != nil {
				got = "ca"
				if strings.Contains(strings.Join(kept.Leaf.Names, " "), ".") {
					got = kept.Leaf.Names[0]
				}
				if kept.Leaf.Issuer != "" {
					t.Errorf("the issuer is kept: %s", kept.Leaf.Issuer)
				}
			}
			if got != c.want {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}

// Whoever may annotate a Secret may write anything: nothing of it is kept but names, and only a few of them.
func FuzzMarks(f *testing.F) {
	f.Add("shop/web-tls", "shop/web-tls", `{"namespace":"shop","name":"web-tls","uid":"1d9f"}`, "shop", "web-tls", "1d9f", "edge,team-.*")
	f.Add("/", "a/b/c", `{"uid":7}`, "SHOP", strings.Repeat("a", 300), "x y", "([a-z]+")
	f.Add("web-tls", "\x00/\xff", `{"namespace":"a/b"`, "", "", "", "(?i)edge|(a*)*b")
	f.Fuzz(func(t *testing.T, reflects, from, origin, namespace, name, uid, to string) {
		in := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
			Namespace: "edge", Name: "web-tls",
			Labels: map[string]string{
				"generate.kyverno.io/source-uid": uid, "generate.kyverno.io/source-namespace": namespace, "app.kubernetes.io/managed-by": "kyverno",
				"kubed.appscode.com/origin.name": name, "kubed.appscode.com/origin.namespace": namespace, "generate.kyverno.io/policy-name": name,
			},
			Annotations: map[string]string{
				"reflector.v1.k8s.emberstack.com/reflects": reflects, "replicator.v1.mittwald.de/replicate-from": from, "kubed.appscode.com/origin": origin,
				"replicator.v1.mittwald.de/replicate-to": to,
			},
		}}
		kept := mirror.Lean(in)
		if len(kept.Marks) > 5 || len(kept.Keys()) > 10 {
			t.Fatalf("too much is kept: %+v", kept)
		}
		for _, key := range kept.Keys() {
			if len(key) > 330 || strings.Count(key, "/") > 1 {
				t.Errorf("it is found under %q", key)
			}
		}
		for _, m := range kept.Marks {
			if len(m.Of)+len(m.UID)+len(m.By) > 64+2*330 || strings.ContainsAny(m.Of+string(m.UID)+m.By, " \n\x00$`'\"") {
				t.Errorf("kept %+v", m)
			}
		}
		source := mirror.Source{Namespace: "shop", Name: "web-tls", UID: "1d9f", Offers: mirror.Offers(in.Annotations)}
		for _, m := range mirror.Find(source, []*mirror.Secret{kept, kept}, func(string, string) bool { return false }) {
			if m.Key() != "edge/web-tls" || m.State != mirror.Empty {
				t.Errorf("found %+v", m)
			}
			if text := mirror.Problem(m, source); strings.Contains(text, "\n") || len(text) > 1024 {
				t.Errorf("it says %q", text)
			}
		}
		if got := mirror.Find(source, []*mirror.Secret{kept}, func(string, string) bool { return true }); len(got) != 0 {
			t.Errorf("another Certificate's Secret is found: %+v", got)
		}
	})
}

// BenchmarkKept says what a Secret costs while it is kept, alone and in an indexed cache: one that holds a certificate and is
// marked, and one that is of no interest.
func BenchmarkKept(b *testing.B) {
	marked := secret(b)
	marked.Annotations["reflector.v1.k8s.emberstack.com/reflects"] = "shop/web-tls"
	plain := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", UID: "1d9f3a52-0000-4000-8000-000000000001", ResourceVersion: "123456"},
		Data: map[string][]byte{"password": []byte("hunter2")}}
	for name, in := range map[string]*corev1.Secret{"certificate": marked, "name": plain} {
		b.Run(name, func(b *testing.B) {
			keep := make([]*mirror.Secret, b.N)
			alone := heap(func() {
				for i := range keep {
					in.Name = fmt.Sprintf("database-%06d", i)
					keep[i] = mirror.Lean(in)
					if keep[i].Leaf != nil {
						keep[i].Leaf.Fingerprint = probe.Fingerprint(fmt.Sprintf("%064x", i)) // each its own
					}
				}
			})
			cached := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{"lineage": func(object any) ([]string, error) {
				return object.(*mirror.Secret).Keys(), nil
			}})
			around := heap(func() {
				for _, s := range keep {
					if err := cached.Add(s); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.ReportMetric(float64(alone)/float64(b.N), "B/kept")
			b.ReportMetric(float64(around)/float64(b.N), "B/cached")
			runtime.KeepAlive(keep)
			runtime.KeepAlive(cached)
		})
	}
}

// heap returns by how many bytes it grows.
func heap(do func()) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	do()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}
