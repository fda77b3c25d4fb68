package issuance

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/manifest"
	"github.com/certwire/certwire/test/golden"
)

// now is when every case is looked at.
var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// A case is a folder under testdata: in.yaml has the objects of a cluster at noon of 2026-11-25, of which Certificate
// shop/web is explained; forbidden.txt, if there is one, names the kinds that may not be read: at all, listed, or listed in all
// namespaces. want.txt is what is
// written for people. A folder is all it takes to add one. UPDATE_GOLDEN=true writes want.txt anew.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, dir := range golden.Cases(t, "testdata/*", 6) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			seen, err := Look(t.Context(), serving(t, dir), "shop", "web")
			if err != nil {
				t.Fatal(err)
			}
			e := Explain(seen, now)
			var got bytes.Buffer
			if err := Write(&got, e, false); err != nil {
				t.Fatal(err)
			}
			encoded, err := json.Marshal(e)
			if err != nil || !json.Valid(encoded) || bytes.Contains(encoded, []byte(`"why":null`)) {
				t.Errorf("for programs: %s (%v)", encoded, err)
			}
			golden.Same(t, filepath.Join(dir, "want.txt"), got.String())
		})
	}
}

// serving is an API server with the objects of a case.
func serving(t *testing.T, dir string) client.Reader {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, cmapi.AddToScheme, acmeapi.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "in.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	objects, problems := manifest.Read("in.yaml", text)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	b := fake.NewClientBuilder().WithScheme(scheme)
	for _, o := range objects {
		object, _, err := decoder.Decode(o.JSON, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		b.WithRuntimeObjects(object)
	}
	forbidden, _ := os.ReadFile(filepath.Join(dir, "forbidden.txt"))
	refuse := func(object runtime.Object, list, namespaced bool) error {
		kind, _, err := scheme.ObjectKinds(object)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(kind[0].Kind, "List")
		for line := range strings.FieldsSeq(string(forbidden)) {
			if line == name || (line == name+"/list" && list) || (line == name+"/elsewhere" && list && !namespaced) {
				return apierrors.NewForbidden(schema.GroupResource{Resource: name}, "", nil)
			}
		}
		return nil
	}
	return interceptor.NewClient(b.Build(), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, o ...client.GetOption) error {
			if err := refuse(object, false, key.Namespace != ""); err != nil {
				return err
			}
			return c.Get(ctx, key, object, o...)
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, o ...client.ListOption) error {
			options := (&client.ListOptions{}).ApplyOptions(o)
			if err := refuse(list, true, options.Namespace != ""); err != nil {
				return err
			}
			return c.List(ctx, list, o...)
		},
	})
}

func TestACertificateThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := Look(t.Context(), serving(t, "testdata/issued"), "shop", "other"); !apierrors.IsNotFound(err) {
		t.Errorf("got %v", err)
	}
}

func TestParseName(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"certificate/web": "web", "cert/web": "web", "Certificates/web": "web", "certificate.cert-manager.io/web": "web",
		"certificate/": "", "certificate": "", "deployment/web": "", "": "", "/web": "",
	} {
		if name, ok := ParseName(text); ok != (want != "") || (ok && name != want) {
			t.Errorf("%q: %q %v", text, name, ok)
		}
	}
}
