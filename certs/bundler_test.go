package certs

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
)

func cmpSorted() cmp.Option { return cmpopts.SortSlices(strings.Compare) }

// upToDate tells whether every one of n caBundles is exactly want.
func upToDate(api *apiServer, n int, want func() []byte) func() error {
	return func() error {
		bundles := api.bundles()
		if len(bundles) != n || len(want()) == 0 {
			return fmt.Errorf("%d caBundles, want %d with %d bytes", len(bundles), n, len(want()))
		}
		if wrong := slices.IndexFunc(bundles, func(b []byte) bool { return !bytes.Equal(b, want()) }); wrong >= 0 {
			return fmt.Errorf("caBundle %d is not what it should be", wrong)
		}
		return nil
	}
}

func TestBundler(t *testing.T) {
	t.Parallel()
	api := newAPIServer(t)
	source := running(t, testOptions(api))
	stop := inBackground(t, source.Bundler().Run)

	// A configuration may come after the bundler.
	api.applyMutating(nil, []byte("garbage"))
	eventually(t, "publishing", upToDate(api, 2, api.secretCA))

	// A manifest that is applied again has no caBundle.
	api.applyMutating(nil, nil, nil)
	eventually(t, "repairing", upToDate(api, 3, api.secretCA))

	// Amid a rotation the old CA comes back as well.
	old := api.secretCA()
	api.remove(secrets, "certwire-ca")
	eventually(t, "rotating", func() error {
		if len(api.secretCA()) == 0 || bytes.Equal(old, api.secretCA()) {
			return errors.New("no new CA")
		}
		return haveBoth(api, 3, old)
	})
	api.applyMutating(nil)
	eventually(t, "repairing amid a rotation", func() error { return haveBoth(api, 1, old) })

	// Another leader takes over, and this one may come back.
	stop()
	api.applyMutating(nil, nil)
	stop = inBackground(t, source.Bundler().Run)
	eventually(t, "working after a restart", func() error { return haveBoth(api, 2, old) })
	stop()
}

// haveBoth tells whether n caBundles hold the current CA and the old one. Two CAs of one second have no order by age.
func haveBoth(api *apiServer, n int, old []byte) error {
	bundles := api.bundles()
	if len(bundles) != n {
		return fmt.Errorf("%d caBundles, want %d", len(bundles), n)
	}
	for i, bundle := range bundles {
		if !bytes.Contains(bundle, api.secretCA()) || !bytes.Contains(bundle, old) {
			return fmt.Errorf("caBundle %d has %d CAs, want the current one and the old one", i, len(parse(bundle)))
		}
	}
	return nil
}

func TestBundlerRetriesConflicts(t *testing.T) {
	t.Parallel()
	api := newAPIServer(t)
	api.applyMutating(nil)
	// Another writer is faster, thrice: it adds a webhook in front, so that positions shift too.
	var raced atomic.Int32
	api.before = func(string) {
		if n := raced.Add(1); n <= 3 {
			api.applyMutating(make([][]byte, n+1)...)
		}
	}
	source := running(t, testOptions(api))
	inBackground(t, source.Bundler().Run)
	eventually(t, "publishing", upToDate(api, 4, api.secretCA))
}

func TestTwoBundlersDoNotFight(t *testing.T) {
	t.Parallel()
	api := newAPIServer(t)
	api.applyMutating(nil, nil)
	api.applyValidating(nil)
	first, second := running(t, testOptions(api)), running(t, testOptions(api))
	inBackground(t, first.Bundler().Run)
	inBackground(t, second.Bundler().Run)
	eventually(t, "publishing", upToDate(api, 3, api.secretCA))

	api.remove(secrets, "certwire-ca")
	eventually(t, "taking the new leaf on both", func() error {
		if len(parse(api.bundles()[0])) != 2 {
			return errors.New("the new CA is not published")
		}
		return errors.Join(issued(first, api.secretCA()), issued(second, api.secretCA()))
	})
	// Either may be refused for being late, but each change is made once.
	if changes := api.changes(mutatingWebhooks) + api.changes(validatingWebhooks); changes != 4 {
		t.Errorf("%d changes, want one for each of two CAs in each of two configurations", changes)
	}
}

// issued tells whether the source serves a leaf from the CA.
func issued(source *SelfManaged, ca []byte) error {
	certificate, err := source.GetCertificate(nil)
	if err != nil {
		return err
	}
	for _, parent := range parse(ca) {
		return certificate.Leaf.CheckSignatureFrom(parent)
	}
	return errors.New("there is no CA")
}

func TestPatchTouchesNothingElse(t *testing.T) {
	t.Parallel()
	object := &admissionregistrationv1.ValidatingWebhookConfiguration{
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{Name: "a"}, {Name: "b"}, {Name: "c"}},
	}
	object.Name, object.ResourceVersion = "certwire", "42"
	object.Webhooks[1].ClientConfig.CABundle = []byte("right")
	c, ok := asConfiguration(object)
	if !ok {
		t.Fatal("not read as a configuration")
	}
	patch, err := c.patch(func([]byte) []byte { return []byte("right") })
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"op":"replace","path":"/metadata/resourceVersion","value":"42"},` +
		`{"op":"add","path":"/webhooks/0/clientConfig/caBundle","value":"cmlnaHQ="},` +
		`{"op":"add","path":"/webhooks/2/clientConfig/caBundle","value":"cmlnaHQ="}]`
	if diff := cmp.Diff(want, string(patch)); diff != "" {
		t.Errorf("patch (-want +got):\n%s", diff)
	}
	if patch, err := c.patch(func(existing []byte) []byte { return existing }); err != nil || patch != nil {
		t.Errorf("a patch without a difference: %s, %v", patch, err)
	}
}
