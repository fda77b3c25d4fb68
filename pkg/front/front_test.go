package front

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/certwire/certwire/test/pki"
)

func TestTheNameThatIsAskedFor(t *testing.T) {
	t.Parallel()
	for want, names := range map[string][]string{
		"a.example.com":        {"a.example.com", "b.example.com"},
		"certwire.example.com": {"*.example.com"},
		"b.example.com":        {"10.0.0.1", "b.example.com"},
		"c.example.com":        {"two words", "c.example.com"},
		"":                     {"10.0.0.1"},
	} {
		if got := ServerName(names); got != want {
			t.Errorf("%q for %v, want %q", got, names, want)
		}
	}
}

func TestTheClustersOwnName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"web": true, "web.shop": true, "web.shop.svc": true, "web.shop.svc.cluster.local": true,
		"web.other.svc": false, "api.shop.svc": false, "web.example.com": false, "web.shop.svc.example.com": false,
	} {
		if got := OwnName([]string{"first.example.com", name}, "shop", []string{"web"}); (got == name) != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestTrusts(t *testing.T) {
	t.Parallel()
	ca, another := pki.NewAuthority(t), pki.NewAuthority(t)
	leaf := ca.Leaf(t, []string{"hook.shop.svc"})
	bundle := pemOf(leaf.Chain[len(leaf.Chain)-1])
	during := leaf.Chain[0].NotBefore.Add(time.Minute)
	for sentence, c := range map[string]struct {
		bundle []byte
		chain  []*x509.Certificate
		name   string
		at     time.Time
		want   Distrust
	}{
		"the authority is in it":              {bundle, leaf.Chain, "hook.shop.svc", during, Trusted},
		"beside another":                      {append(otherBundle(t, another), bundle...), leaf.Chain, "hook.shop.svc", during, Trusted},
		"another is":                          {otherBundle(t, another), leaf.Chain, "hook.shop.svc", during, UnknownAuthority},
		"the certificate is for another":      {bundle, leaf.Chain, "hook.other.svc", during, WrongName},
		"its time is over":                    {bundle, leaf.Chain, "hook.shop.svc", leaf.Chain[0].NotAfter.Add(time.Hour), Expired},
		"the bundle is no PEM":                {[]byte("Cg=="), leaf.Chain, "hook.shop.svc", during, UnreadableBundle},
		"the bundle holds nothing":            {nil, leaf.Chain, "hook.shop.svc", during, UnreadableBundle},
		"nothing was served that one can say": {bundle, nil, "hook.shop.svc", during, Unfit},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := Trusts(c.bundle, c.chain, c.name, c.at); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestManyPodsAndHostsAreBounded(t *testing.T) {
	t.Parallel()
	places := make([]Place, maxHosts)
	for i := range places {
		places[i].ServerName = fmt.Sprint(i)
	}
	lists := &Lists{}
	service := &Service{Ports: []ServicePort{{Port: 443}}}
	service.Namespace, service.Name = "infra", "ingress"
	slice := &Slice{Service: "ingress", Ports: []ServicePort{{Port: 8443}}}
	slice.Namespace = "infra"
	for i := range 200 {
		p := Pod{Namespace: "infra", Name: fmt.Sprintf("pod-%03d", i), UID: types.UID(fmt.Sprint(i)), IPs: []string{fmt.Sprintf("10.0.1.%d", i)}}
		lists.AddPod(p)
		slice.Endpoints = append(slice.Endpoints, Endpoint{Pod: p.Name, UID: p.UID, Addresses: p.IPs, Ready: true})
	}
	lists.slices = append(lists.slices, slice)
	f := Front{Kind: KindIngress}
	f.fill(lists, []port{{service: service, ServicePort: service.Ports[0], places: places}}, nil)
	if n := len(f.Replicas); n != maxPods {
		t.Errorf("%d pods", n)
	}
	for _, r := range f.Replicas {
		if n := len(r.Places); n != maxPlaces/maxPods {
			t.Fatalf("%d places of a pod", n)
		}
	}
	if want := 200*maxHosts - maxPlaces; f.Left != want {
		t.Errorf("%d are left, want %d", f.Left, want)
	}
}

func TestWhatIsDialledIsAPodsAddress(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"10.0.0.1": true, "fd00::1": true, "192.0.2.1": true,
		"127.0.0.1": false, "::1": false, "0.0.0.0": false, "169.254.169.254": false, "::ffff:127.0.0.1": false, "224.0.0.1": false, "fe80::1": false,
	} {
		if got := Dialable(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}

func FuzzParseService(f *testing.F) {
	for _, seed := range []string{"ingress-nginx/controller", "a/b", "/", "a/b/c", "A/b", "", "a/1b", strings.Repeat("a", 64) + "/b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		namespace, name, err := ParseService(value)
		if err != nil {
			if len(err.Error()) > 500 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		if namespace+"/"+name != value || len(namespace) > 63 || len(name) > 63 || name == "" || namespace == "" {
			t.Errorf("%q and %q of %q", namespace, name, value)
		}
	})
}

func FuzzTrusts(f *testing.F) {
	leaf := pki.NewAuthority(f).Leaf(f, []string{"hook.shop.svc"})
	f.Add(pemOf(leaf.Chain[len(leaf.Chain)-1]), "hook.shop.svc")
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "")
	f.Fuzz(func(t *testing.T, bundle []byte, name string) {
		if got := Trusts(bundle, leaf.Chain, name, leaf.Chain[0].NotBefore.Add(time.Minute)); got == Trusted && name != "" && !slices.Contains(leaf.Chain[0].DNSNames, strings.ToLower(strings.TrimSuffix(name, "."))) {
			t.Errorf("trusted for %q", name)
		}
	})
}

// FuzzNew decodes whatever a CRD of these kinds may hold.
func FuzzNew(f *testing.F) {
	f.Add([]byte(`{"kind":"Gateway","metadata":{"name":"g","namespace":"n"},"spec":{"listeners":[{"port":443,"tls":{"certificateRefs":[{"name":"s"}]}}]}}`))
	f.Add([]byte(`{"kind":"ListenerSet","spec":{"parentRef":{"name":"g"},"listeners":[{"port":1e9,"tls":{}}]}}`))
	f.Add([]byte(`{"kind":"ReferenceGrant","spec":{"from":[{"group":"gateway.networking.k8s.io","kind":"Gateway","namespace":"n"}],"to":[{"kind":"Secret"}]}}`))
	f.Add([]byte(`{"kind":"APIService","spec":{"service":{"name":"s","namespace":"n","port":-1},"caBundle":"%%%"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		u := &unstructured.Unstructured{}
		if u.UnmarshalJSON(text) != nil {
			return
		}
		lists := &Lists{}
		if !lists.Add(u) {
			return
		}
		for _, of := range Of(lists, Certificate{Namespace: u.GetNamespace(), Secret: "s", Names: []string{"a.example.com"}}) {
			if len(of.Replicas) > 0 {
				t.Errorf("pods out of nowhere: %+v", of)
			}
		}
	})
}

func TestWhatIsOfNoUse(t *testing.T) {
	t.Parallel()
	if New("text") != nil || New(&networkingv1.NetworkPolicy{}) != nil || (&Lists{}).Add(&unstructured.Unstructured{Object: map[string]any{"kind": "GatewayClass"}}) {
		t.Error("it was kept")
	}
}

func pemOf(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func otherBundle(t *testing.T, a *pki.Authority) []byte {
	t.Helper()
	chain := a.Leaf(t, []string{"x"}).Chain
	return pemOf(chain[len(chain)-1])
}
