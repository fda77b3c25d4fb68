package chain

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// served are the facts of a certificate that so many pods serve.
func served(pods int) Facts {
	leaf := Leaf{Serial: "3f9a01", NotAfter: noon.AddDate(0, 3, 0)}
	f := Facts{
		Now: noon, Namespace: "shop", Wire: "dialled now",
		Certificate: Certificate{Name: "web", Issuer: "ClusterIssuer le", Revision: 2, Ready: "True", Issued: noon.Add(-time.Hour), Leaf: leaf},
		Secret:      Secret{Name: "web-tls", Leaf: leaf},
	}
	for range pods {
		f.Places = append(f.Places, Place{Layer: LayerPod, Pod: "web-x", Workload: "Deployment/web", Port: "8443", State: "current", Leaf: leaf})
	}
	return f
}

func written(t *testing.T, f Facts, s Style) string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, Assemble(f), s); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestLinesAndColourAreForTerminals(t *testing.T) {
	t.Parallel()
	plain := written(t, served(2), Style{})
	for _, r := range plain {
		if r > 126 || r < 32 && r != '\n' {
			t.Fatalf("%q in plain text:\n%s", r, plain)
		}
	}
	if drawn := written(t, served(2), Style{Lines: true, Paint: true}); !strings.Contains(drawn, "\u251c\u2500 Pod web-x") || !strings.Contains(drawn, "\x1b[32mcurrent") {
		t.Errorf("%s", drawn)
	}
}

func TestManyPlacesAreCounted(t *testing.T) {
	t.Parallel()
	f := served(14)
	f.Places[13].State = "previous"
	short := written(t, f, Style{})
	if n := strings.Count(short, "Pod web-x"); n != shown || !strings.Contains(short, "and 4 more: -o wide") {
		t.Errorf("%d are shown:\n%s", n, short)
	}
	if !strings.Contains(strings.Split(short, "\n")[4], "stale") {
		t.Errorf("the one that is behind is not the first:\n%s", short)
	}
	if n := strings.Count(written(t, f, Style{Wide: true}), "Pod web-x"); n != 14 {
		t.Errorf("%d are shown of 14", n)
	}
}

func TestNoChallengeTokenAndNoEndlessText(t *testing.T) {
	t.Parallel()
	f := served(1)
	f.Certificate.Ready, f.Certificate.Message = "False", "GET 'http://www.example.com/.well-known/acme-challenge/s3cr3t-t0ken': 404\n"+strings.Repeat("x", 5000)
	out := written(t, f, Style{})
	if strings.Contains(out, "s3cr3t") || !strings.Contains(out, "/.well-known/acme-challenge/...") {
		t.Errorf("the token is in %s", out)
	}
	if len(out) > 2500 {
		t.Errorf("%d bytes", len(out))
	}
}

// What the two tell of is the same when only one of them knows the fingerprint.
func TestLeavesAreComparedByFingerprintWhereBothHaveOne(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		a, b Leaf
		want bool
	}{
		"nothing is known":                  {Leaf{}, Leaf{}, false},
		"the same serial":                   {Leaf{Serial: "1"}, Leaf{Serial: "1", Fingerprint: "aa"}, true},
		"the same serial of another issuer": {Leaf{Serial: "1", Fingerprint: "bb"}, Leaf{Serial: "1", Fingerprint: "aa"}, false},
		"another serial":                    {Leaf{Serial: "1"}, Leaf{Serial: "2"}, false},
	} {
		if got := c.a.same(c.b); got != c.want {
			t.Errorf("%s: %t", sentence, got)
		}
	}
}
