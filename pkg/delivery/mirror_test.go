package delivery

import (
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/mirror"
	"github.com/certwire/certwire/pkg/probe"
)

// secret writes a Secret that holds a leaf, or none, and has an annotation key=value.
func (w *world) secret(namespace, name string, leaf *probe.Leaf, annotations ...string) {
	w.t.Helper()
	in := &corev1.Secret{}
	in.Namespace, in.Name, in.UID = namespace, name, types.UID("uid-"+namespace+"-"+name)
	in.Annotations = map[string]string{}
	for _, a := range annotations {
		key, value, _ := strings.Cut(a, "=")
		in.Annotations[key] = value
	}
	kept := mirror.Lean(in)
	kept.Leaf, kept.Writer, kept.Written = leaf, "somebody", w.now
	w.must(w.secrets.Add(kept))
}

func (w *world) erase(namespace, name string) {
	w.t.Helper()
	w.must(w.secrets.Delete(&mirror.Secret{Namespace: namespace, Name: name}))
}

const (
	reflects = "reflector.v1.k8s.emberstack.com/reflects=shop/web-tls"
	allowed  = "reflector.v1.k8s.emberstack.com/reflection-allowed=true"
)

// renewed is a world whose Certificate web was renewed an hour after it was proven. Its own Secret holds the new leaf;
// reflector has a copy, edge/web-tls, that holds the old one, and there is a pod for each.
func renewed(t *testing.T) (w *world, old, now *probe.Leaf) {
	t.Helper()
	w = newWorld(t)
	w.readSecrets()
	w.issue("web", "1")
	old = w.issued["web"].Leaf
	w.secret("shop", "web-tls", old, allowed)
	w.secret("edge", "web-tls", old, reflects)
	w.pod("own", "", old, "web-tls")
	w.podIn("edge", "far", "", old, "web-tls")
	w.sweep("web")
	w.says(w.sweep("web"), "Delivered 2/2")
	w.now = w.now.Add(time.Hour)
	w.issue("web", "2")
	now = w.issued["web"].Leaf
	w.secret("shop", "web-tls", now, allowed)
	w.sweep("web")
	w.change("own", now, true)
	return w, old, now
}

func TestACopyThatIsBehindIsNamedBeforeThePods(t *testing.T) {
	t.Parallel()
	w, _, now := renewed(t)
	d := w.sweep("web")
	w.says(d, "Delivering 1/2 mirror-stale")
	if w.word("own") == "" || w.wordIn("edge", "far") != "" {
		t.Errorf("poked %q, and %q although its copy is behind", w.word("own"), w.wordIn("edge", "far"))
	}
	w.now = w.now.Add(3 * time.Minute)
	d = w.sweep("web")
	w.says(d, "Stale 1/2 mirror-stale")
	if want := "Secret edge/web-tls (reflector) holds serial 1, not serial 2 of shop/web-tls: restart reflector"; d.Status.Layer != "mirror" || !strings.HasPrefix(d.Status.Message, want) {
		t.Errorf("in %s it says %q", d.Status.Layer, d.Status.Message)
	}
	if diff := gocmp.Diff([]v1alpha1.DeliveryMirror{{Namespace: "edge", Name: "web-tls", Tool: "reflector", State: "previous", Serial: "1"}}, d.Status.Mirrors); diff != "" {
		t.Error(diff)
	}
	if e := d.Status.Endpoints[0]; e.Namespace != "edge" || e.Pod != "far" || e.State != "previous" {
		t.Errorf("first comes %+v", e)
	}
	if since := w.run.memory(types.NamespacedName{Namespace: "shop", Name: "web"}).shown.mirrorStale; !since.Equal(w.issued["web"].At) {
		t.Errorf("metrics say that it is behind since %s", since)
	}
	if len(w.told) != 1 || !strings.Contains(w.told[0], "edge/web-tls") {
		t.Errorf("told %q", w.told)
	}
	// When the tool goes on, so does the delivery.
	w.secret("edge", "web-tls", now, reflects)
	w.says(w.sweep("web"), "Stale 1/2 partial") // until the opposite is proven
	if w.wordIn("edge", "far") != string(fingerprint("2")) {
		t.Errorf("the pod is not poked: %q", w.wordIn("edge", "far"))
	}
	w.changeIn("edge", "far", now, true)
	w.sweep("web")
	d = w.sweep("web")
	w.says(d, "Delivered 2/2")
	if d.Status.Mirrors[0].State != "current" || d.Status.Layer != "" || d.Status.Message != "" {
		t.Errorf("it says %+v", d.Status)
	}
	if got := w.lags[StageMirrored]; len(got) != 1 || got[0] < 3*time.Minute || got[0] > 4*time.Minute {
		t.Errorf("timed %v", got)
	}
}

func TestACopyOfExternalSecretsHasItsHour(t *testing.T) {
	t.Parallel()
	w, old, _ := renewed(t)
	w.erase("edge", "web-tls")
	eso := mirror.Secret{Namespace: "edge", Name: "web-tls", Leaf: old, Marks: []mirror.Mark{{Tool: mirror.ExternalSecrets, By: "web"}}}
	w.must(w.secrets.Add(&eso))
	w.now = w.now.Add(time.Hour)
	w.says(w.sweep("web"), "Delivering 1/2 mirror-stale")
	w.now = w.now.Add(15 * time.Minute)
	d := w.sweep("web")
	w.says(d, "Stale 1/2 mirror-stale")
	if !strings.Contains(d.Status.Message, "kubectl annotate externalsecret -n edge web force-sync=") {
		t.Errorf("it says %q", d.Status.Message)
	}
}

func TestAPodHasItsTimeFromWhenItsCopyWasWritten(t *testing.T) {
	t.Parallel()
	w, old, now := renewed(t)
	w.sweep("web")
	w.now = w.now.Add(time.Minute)
	w.podIn("edge", "young", "", old, "web-tls") // younger than the leaf, and older than the copy
	w.now = w.now.Add(30 * time.Second)
	w.secret("edge", "web-tls", now, reflects)
	w.sweep("web")
	if w.wordIn("edge", "young") != string(fingerprint("2")) {
		t.Error("the younger pod is not poked")
	}
	w.now = w.now.Add(time.Minute)
	w.says(w.sweep("web"), "Delivering 1/3 partial")
	w.now = w.now.Add(time.Minute)
	w.says(w.sweep("web"), "Stale 1/3 partial")
}

func TestAnIngressThatUsesACopyIsLookedAt(t *testing.T) {
	t.Parallel()
	w, old, now := renewed(t)
	w.ingressIn("edge", "public", "web-tls", time.Hour, "203.0.113.7")
	w.controller(old)
	w.now = w.now.Add(3 * time.Minute)
	d := w.sweep("web")
	w.says(d, "Stale 1/3 mirror-stale") // the controller and the pod do what they can
	if e := d.Status.Endpoints; e[0].Namespace != "edge" || e[1].For != "Ingress/edge/public" || e[1].Namespace != "infra" {
		t.Errorf("the endpoints are %+v", e)
	}
	w.secret("edge", "web-tls", now, reflects)
	w.changeIn("edge", "far", now, true)
	w.says(w.sweep("web"), "Stale 2/3 controller-stale") // until the opposite is proven
	w.now = w.now.Add(3 * time.Minute)
	d = w.sweep("web")
	w.says(d, "Stale 2/3 controller-stale")
	if d.Status.Layer != "front" || !strings.Contains(d.Status.Message, "edge/public") {
		t.Errorf("in %s it says %q", d.Status.Layer, d.Status.Message)
	}
}

func TestACopyThatOnlyAnIngressUsesCounts(t *testing.T) {
	t.Parallel()
	w, old, now := renewed(t)
	w.secret("edge", "web-tls", now, reflects)
	w.changeIn("edge", "far", now, true)
	w.secret("gate", "saved", old)
	w.ingressIn("gate", "public", "saved", time.Hour, "203.0.113.7")
	w.controller(old)
	w.now = w.now.Add(3 * time.Minute)
	w.says(w.sweep("web"), "Stale 2/3 mirror-stale")
}

func TestWhatWasProvenStaysWhileACopyHasItsTime(t *testing.T) {
	t.Parallel()
	w, _, now := renewed(t)
	w.secret("edge", "web-tls", now, reflects)
	w.changeIn("edge", "far", now, true)
	w.sweep("web")
	w.says(w.sweep("web"), "Delivered 2/2")
	w.now = w.now.Add(time.Hour)
	w.secret("edge", "web-tls", nil, reflects, "reflector.v1.k8s.emberstack.com/reflected-version=7") // applied over, say
	w.says(w.sweep("web"), "Delivered 1/1")
	w.now = w.now.Add(2 * time.Minute)
	d := w.sweep("web")
	w.says(d, "Stale 1/1 mirror-stale")
	if !strings.Contains(d.Status.Message, "edge/web-tls (reflector) holds no certificate") {
		t.Errorf("it says %q", d.Status.Message)
	}
	w.lead()
	w.says(w.sweep("web"), "Stale 1/1 mirror-stale") // another leader does not begin anew
}

func TestABackupThatNobodyUsesIsListedAndNoMore(t *testing.T) {
	t.Parallel()
	w, old, now := renewed(t)
	w.secret("edge", "web-tls", now, reflects)
	w.changeIn("edge", "far", now, true)
	w.secret("backup", "saved", old)
	w.now = w.now.Add(time.Hour)
	w.sweep("web")
	d := w.sweep("web")
	w.says(d, "Delivered 2/2")
	if len(d.Status.Mirrors) != 2 || d.Status.Mirrors[0].Tool != "content" || d.Status.Mirrors[0].State != "previous" {
		t.Errorf("listed are %+v", d.Status.Mirrors)
	}
	if !w.run.memory(types.NamespacedName{Namespace: "shop", Name: "web"}).mirrorStale.IsZero() {
		t.Error("an alert would be raised")
	}
	w.podIn("backup", "user", "", old, "saved")
	w.says(w.sweep("web"), "Stale 2/3 mirror-stale")
}

func TestACopyProvesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.readSecrets()
	w.issue("web", "1")
	w.secret("edge", "web-tls", w.issued["web"].Leaf, reflects)
	w.sweep("web")
	w.says(w.sweep("web"), "Unverified 0/0 no-consumer")
}

func TestPodsOfAForeignCopyAreNotAsked(t *testing.T) {
	t.Parallel()
	w, _, _ := renewed(t)
	w.secret("edge", "web-tls", newLeaf("other", "9", w.now), reflects)
	w.now = w.now.Add(time.Hour)
	w.sweep("web")
	w.now = w.now.Add(time.Hour)
	d := w.sweep("web")
	w.says(d, "Stale 1/1 mirror-stale")
	if d.Status.Mirrors[0].State != "foreign" {
		t.Errorf("%+v", d.Status.Mirrors)
	}
}

func TestHowMuchCopiesCanCost(t *testing.T) {
	t.Parallel()
	w, old, now := renewed(t)
	w.secret("edge", "web-tls", now, reflects)
	w.changeIn("edge", "far", now, true)
	for i := range 30 {
		namespace := fmt.Sprintf("team-%02d", i)
		w.secret(namespace, "web-tls", old, reflects)
	}
	for i := range maxMirrorPods + 10 {
		p := &Pod{Secrets: []string{"web-tls"}, Started: w.now}
		p.Namespace, p.Name = "team-01", fmt.Sprintf("p%03d", i)
		p.UID = types.UID(p.Name)
		w.must(w.run.pods.Add(p))
	}
	d := w.sweep("web")
	if len(d.Status.Mirrors) != maxMirrorsListed || d.Status.Mirrors[19].Namespace != "team-19" || d.Status.Total > maxMirrorPods+2 {
		t.Errorf("%d are listed, %d replicas", len(d.Status.Mirrors), d.Status.Total)
	}
}

func TestAnOverwrittenSecretIsNamed(t *testing.T) {
	t.Parallel()
	w, old, now := renewed(t)
	w.secret("edge", "web-tls", now, reflects)
	w.changeIn("edge", "far", now, true)
	w.sweep("web")
	w.says(w.sweep("web"), "Delivered 2/2")
	w.secret("shop", "web-tls", old, allowed)
	w.says(w.sweep("web"), "Delivered 2/2")
	w.says(w.sweep("web"), "Delivered 2/2") // twice, but not for long
	w.now = w.now.Add(overwrittenFor)
	d := w.sweep("web")
	w.says(d, "Stale 2/2 secret-overwritten")
	if d.Status.Layer != "secret" || !strings.HasPrefix(d.Status.Message, "Secret shop/web-tls holds serial 1, written last by somebody at 2026-11-23") ||
		!strings.Contains(d.Status.Message, "not serial 2 of revision 2") {
		t.Errorf("in %s it says %q", d.Status.Layer, d.Status.Message)
	}
	w.secret("shop", "web-tls", now, allowed)
	w.says(w.sweep("web"), "Delivered 2/2")
}

func TestWhatWasSaidStaysWhileSecretsCannotBeRead(t *testing.T) {
	t.Parallel()
	w, _, _ := renewed(t)
	w.now = w.now.Add(3 * time.Minute)
	before := w.sweep("web")
	w.says(before, "Stale 1/2 mirror-stale")
	w.lead()
	w.run.secrets.synced = func() bool { return false }
	d := w.sweep("web")
	w.says(d, "Stale 1/1 mirror-stale")
	if diff := gocmp.Diff(before.Status.Mirrors, d.Status.Mirrors); diff != "" || d.Status.Message != before.Status.Message {
		t.Errorf("it says %q, %s", d.Status.Message, diff)
	}
	w.lead()
	w.says(w.sweep("web"), "Stale 1/2 mirror-stale")
}

func TestWithoutARequestTheSecretIsTheEvidence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.readSecrets()
	w.issue("web", "1")
	i := w.issued["web"]
	leaf := i.Leaf
	i.Leaf, i.At = nil, time.Time{}
	w.issued["web"] = i
	w.secret("shop", "web-tls", leaf, allowed)
	w.pod("a", "", leaf, "web-tls")
	w.sweep("web")
	w.now = w.now.Add(lackFor)
	w.says(w.sweep("web"), "Delivering 1/1")
	d := w.sweep("web")
	w.says(d, "Delivered 1/1")
	if d.Status.Leaf.Serial != "1" || d.Status.Issued.IsZero() {
		t.Errorf("%+v", d.Status.Leaf)
	}
}

func TestWhoHasToLookWhenASecretChanges(t *testing.T) {
	t.Parallel()
	w, old, now := renewed(t)
	w.issue("api", "a")
	w.sweep("web")
	key := func(s *mirror.Secret) string { return fmt.Sprint(w.run.concerned(s)) }
	for sentence, c := range map[string]struct {
		secret mirror.Secret
		want   string
	}{
		"its own":                    {mirror.Secret{Namespace: "shop", Name: "api-tls"}, "[shop/api]"},
		"one that says whose it is":  {mirror.Secret{Namespace: "x", Name: "y", Marks: []mirror.Mark{{Of: "shop/api-tls"}}}, "[shop/api]"},
		"one that holds a leaf":      {mirror.Secret{Namespace: "x", Name: "y", Leaf: now}, "[shop/web]"},
		"one that holds an old leaf": {mirror.Secret{Namespace: "x", Name: "y", Leaf: old}, "[shop/web]"},
		"one that was a copy":        {mirror.Secret{Namespace: "edge", Name: "web-tls"}, "[shop/web]"},
		"another one":                {mirror.Secret{Namespace: "x", Name: "y", Leaf: newLeaf("x", "9", noon)}, "[]"},
	} {
		if got := key(&c.secret); got != c.want {
			t.Errorf("%s: %s, want %s", sentence, got, c.want)
		}
	}
	w.run.forget(types.NamespacedName{Namespace: "shop", Name: "web"})
	if len(w.run.secrets.certificates)+len(w.run.secrets.mirrors) != 0 {
		t.Error("copies of a Certificate that is gone are remembered")
	}
}

func TestTheTransformOfSecretsKeepsNothingAndLeavesNothing(t *testing.T) {
	t.Parallel()
	in := &corev1.Secret{Data: map[string][]byte{"tls.key": []byte("-----BEGIN PRIVATE KEY-----"), "password": []byte("hunter2")}}
	in.Namespace, in.Name = "shop", "web-tls"
	kept, err := stripSecret(in)
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := kept.(*mirror.Secret); !ok || s.Key() != "shop/web-tls" {
		t.Fatalf("kept %T", kept)
	}
	for key, value := range in.Data {
		if strings.Trim(string(value), "\x00") != "" {
			t.Errorf("%s is still there: %q", key, value)
		}
	}
	if again, err := stripSecret(kept); err != nil || again != kept { // informers may call it twice
		t.Errorf("once more: %v, %v", again, err)
	}
}
