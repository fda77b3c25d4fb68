package admission

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"sigs.k8s.io/yaml"
)

// FuzzReload sends raw bytes. Whatever they are, there is no panic; a review's uid comes back; it is allowed; its patch
// applies to the exact bytes of the object and touches annotations alone; and a second pass changes nothing.
func FuzzReload(f *testing.F) {
	f.Add([]byte(reviewOf("apps", "Deployment", "CREATE", workload, "")))
	f.Add([]byte(reviewOf("apps", "Deployment", "UPDATE", `{"metadata":{"annotations":{"certwire.dev/status":"{}"}},"spec":{"fieldOfTheFuture":1}}`, workload)))
	f.Add([]byte(`{"kind":"AdmissionReview"`))
	paths, err := filepath.Glob("../mutate/testdata/plan/*/in.yaml")
	if err != nil || len(paths) == 0 {
		f.Fatal("no golden workloads to begin with", err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		object, err := yaml.YAMLToJSON(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(reviewOf("apps", "Deployment", "CREATE", string(object), "")))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		h, _ := newHook(t, "reload", cluster{labels: optedIn})
		a := post(t, h, string(body))
		if a.code != http.StatusOK {
			return
		}
		var in struct { // case-sensitive, as the API server: encoding/json would take "Object" for "object"
			Request struct {
				UID    string         `json:"uid"`
				Object jsontext.Value `json:"object"`
			} `json:"request"`
		}
		if err := jsonv2.Unmarshal(body, &in); err != nil {
			t.Fatalf("answered what cannot be read: %v", err)
		}
		if a.Response.UID != in.Request.UID || !a.Response.Allowed {
			t.Fatalf("uid %q of %q, answer %s", a.Response.UID, in.Request.UID, a.text)
		}
		if (len(a.Response.Patch) > 0) != (a.Response.PatchType != "") {
			t.Fatalf("patch without type or the other way round: %s", a.text)
		}
		if len(a.Response.Patch) == 0 {
			return
		}
		patch, err := jsonpatch.DecodePatch(a.Response.Patch)
		if err != nil {
			t.Fatal(err)
		}
		out, err := patch.Apply(in.Request.Object)
		if err != nil {
			t.Fatalf("patch %s does not apply to %s: %v", a.Response.Patch, in.Request.Object, err)
		}
		if before, after := rest(t, in.Request.Object), rest(t, out); !reflect.DeepEqual(before, after) {
			t.Fatalf("more than annotations changed:\n%v\n%v", before, after)
		}
		again := post(t, h, string(bytes.Replace(body, in.Request.Object, out, 1)))
		if len(again.Response.Patch) > 0 {
			t.Fatalf("the second pass changes something: %s\nfirst %s", again.Response.Patch, a.Response.Patch)
		}
	})
}

// rest is an object without its annotations.
func rest(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal(raw, &object); err != nil {
		t.Fatal(err)
	}
	if meta, ok := object["metadata"].(map[string]any); ok {
		delete(meta, "annotations")
	}
	return object
}

// FuzzGuard sends raw bytes to the gate: no panic, the uid comes back, and a refusal is the same text each time.
func FuzzGuard(f *testing.F) {
	for _, c := range [][2]string{{"acme.cert-manager.io", "Order"}, {"cert-manager.io", "Certificate"}, {"networking.k8s.io", "Ingress"}, {"cert-manager.io", "ClusterIssuer"}} {
		f.Add([]byte(reviewOf(c[0], c[1], "CREATE", order, "")))
		f.Add([]byte(reviewOf(c[0], c[1], "UPDATE", order, `{"spec":{"issuerRef":{"name":"other"},"acme":{"server":"https://x"}}}`)))
	}
	for _, spec := range []string{
		`"dnsNames":["a.local","*.example.com","a.example.com"],"ipAddresses":["10.0.0.1"],"commonName":"x","uris":["a:b"],"secretName":"web-tls"`,
		`"privateKey":{"algorithm":"RSA","size":8192},"renewBefore":"2159h30m","renewal":{"windows":[{}]}`, `"renewBeforePercentage":99`,
	} {
		f.Add([]byte(reviewOf("cert-manager.io", "Certificate", "CREATE", `{"metadata":{"labels":{"a":"b"}},"spec":{"issuerRef":{"name":"le"},`+spec+`}}`, "")))
	}
	const issuer = `{"metadata":{"name":"le"},"spec":{"acme":{"server":"https://acme-v02.api.letsencrypt.org/directory","profile":"p","externalAccountBinding":{"keyID":"k"},"solvers":[{"http01":{"ingress":{"class":"x"}},"selector":{"dnsZones":["*.a"]}}]}}}`
	f.Add([]byte(reviewOf("cert-manager.io", "Issuer", "UPDATE", issuer, strings.Replace(issuer, "http01", "dns01", 1))))
	f.Fuzz(func(t *testing.T, body []byte) {
		h := known(t, "orders", optedIn)
		if len(body)%2 == 0 {
			h, _ = metered(t, "orders", production, &meter{assessed: empty}) // past the first rule
		}
		a := post(t, h, string(body))
		if a.code != http.StatusOK {
			return
		}
		var in struct {
			Request struct {
				UID string `json:"uid"`
			} `json:"request"`
		}
		if err := jsonv2.Unmarshal(body, &in); err != nil {
			t.Fatalf("answered what cannot be read: %v", err)
		}
		if a.Response.UID != in.Request.UID || (!a.Response.Allowed && a.Response.Status.Message == "") {
			t.Fatalf("answer %s", a.text)
		}
		if again := post(t, h, string(body)); again.text != a.text {
			t.Fatalf("the answer is not stable:\n%s\n%s", a.text, again.text)
		}
	})
}

// TestTimeouts gives odd values of ?timeout= to the hook: none of them is an error.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"", "?timeout=", "?timeout=abc", "?timeout=-1s", "?timeout=3", "?timeout=1ns", "?timeout=10s", "?%zz"} {
		h, _ := newHook(t, "reload", cluster{labels: optedIn})
		r := &http.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}}
		u := httptest.NewRequest(http.MethodPost, "/", nil).URL
		u.RawQuery = query
		r.URL = u
		r.Body = http.NoBody
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusBadRequest {
			t.Errorf("%q: code %d: %s", query, w.Code, w.Body)
		}
	}
}
