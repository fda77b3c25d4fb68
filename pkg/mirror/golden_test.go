package mirror_test

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/certwire/certwire/pkg/mirror"
	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/test/golden"
	"github.com/certwire/certwire/test/pki"
)

// words stand for certificates in the cases.
var words = []string{"current", "previous", "older", "foreign", "ca"}

func certificates(t testing.TB) map[string]pki.Pair {
	t.Helper()
	ca := pki.NewAuthority(t)
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	names := []string{"web.example.com", "www.example.com"}
	out := map[string]pki.Pair{
		"current": ca.Leaf(t, names, pki.From(noon)), "previous": ca.Leaf(t, names, pki.From(noon.Add(-time.Hour))),
		"older": ca.Leaf(t, names, pki.From(noon.Add(-2*time.Hour))), "foreign": ca.Leaf(t, []string{"other.example.com"}),
		"ca": {Chain: []*x509.Certificate{ca.Intermediate}},
	}
	for _, w := range words {
		if out[w].Chain == nil {
			t.Fatalf("nothing stands for %s", w)
		}
	}
	return out
}

// TestFind reads every folder of testdata: secrets.yaml has the Secrets of a cluster, of which shop/web-tls is the source,
// and the Certificates beside shop/web; found.yaml, what are copies and what helps those that are behind. A folder is all
// it takes to add a case. UPDATE_GOLDEN=true writes found.yaml.
func TestFind(t *testing.T) {
	t.Parallel()
	pairs := certificates(t)
	for _, path := range golden.Cases(t, "testdata/*/secrets.yaml", 10) {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			t.Parallel()
			c := read(t, path, pairs)
			golden.Same(t, filepath.Join(filepath.Dir(path), "found.yaml"), c.found(pairs))
		})
	}
}

type golds struct {
	source mirror.Source
	all    []*mirror.Secret
	owned  map[string]bool
}

func read(t *testing.T, path string, pairs map[string]pki.Pair) golds {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := golds{owned: map[string]bool{"shop/web-tls": true}}
	for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var object struct {
			Kind          string `json:"kind"`
			corev1.Secret `json:",inline"`
			Spec          struct{ SecretName string }
		}
		if err := yaml.Unmarshal(document, &object); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if object.Kind == "Certificate" {
			c.owned[object.Namespace+"/"+object.Spec.SecretName] = true
			continue
		}
		secret := object.Secret
		secret.Data = map[string][]byte{}
		for key, value := range secret.StringData {
			secret.Data[key] = []byte(value)
			if pair, ok := pairs[value]; ok {
				secret.Data[key] = pair.CertPEM()
			}
		}
		c.all = append(c.all, mirror.Lean(&secret))
	}
	own := c.all[slices.IndexFunc(c.all, func(s *mirror.Secret) bool { return s.Key() == "shop/web-tls" })]
	c.source = mirror.Source{
		Namespace: "shop", Name: "web-tls", UID: own.UID, Offers: own.Offers,
		Leaf: probe.NewLeaf(pairs["current"].Chain[0]), Previous: []probe.Fingerprint{probe.FingerprintOf(pairs["previous"].Chain[0].Raw)},
	}
	if c.source.Offers == nil {
		c.source.Offers = map[string]string{}
	}
	return c
}

// found writes down the copies, with words in place of serial numbers.
func (c *golds) found(pairs map[string]pki.Pair) string {
	replace := make([]string, 0, 2*len(words))
	for _, w := range words {
		replace = append(replace, "serial "+probe.NewLeaf(pairs[w].Chain[0]).Serial, "serial of "+w)
	}
	var out strings.Builder
	for _, m := range mirror.Find(c.source, c.indexed(), func(namespace, name string) bool { return c.owned[namespace+"/"+name] }) {
		fmt.Fprintf(&out, "- secret: %s\n  tool: %s\n  state: %s\n", m.Key(), m.Tool, m.State)
		if m.Behind() {
			fmt.Fprintf(&out, "  problem: %q\n", strings.NewReplacer(replace...).Replace(mirror.Problem(m, c.source)))
		}
	}
	return out.String()
}

// indexed are the Secrets that the index leads to, so that the cases hold for the keys, too. One comes for each key.
func (c *golds) indexed() []*mirror.Secret {
	var out []*mirror.Secret
	for _, key := range c.source.Keys() {
		for _, s := range c.all {
			if slices.Contains(s.Keys(), key) {
				out = append(out, s)
			}
		}
	}
	return out
}
