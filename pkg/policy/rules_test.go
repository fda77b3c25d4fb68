package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certwire/certwire/pkg/acme"
)

// certificate builds a request to make a Certificate, in YAML, in namespace shop, with an issuer at Let's Encrypt's
// production directory.
func certificate(t *testing.T, text string, change ...func(*Request)) Request {
	t.Helper()
	return built(t, Certificate, text, change...)
}

func built(t *testing.T, k Kind, text string, change ...func(*Request)) Request {
	t.Helper()
	o := parse(t, k, text)
	r := Request{Object: o, Namespace: "shop", Relevant: true, Environment: Environment{Name: "production", Production: true}}
	switch {
	case k == IssuerKind || k == ClusterIssuer:
		r.Issuer = NewIssuer(*o.Issuer, o.ACME(), directories(t))
	case o.Issuer != nil:
		r.Issuer = Issuer{Ref: *o.Issuer, Found: true, ACME: true, Directory: leProd, Ready: true}
	}
	for _, c := range change {
		c(&r)
	}
	return r
}

// was makes an update of it, from the given object.
func was(t *testing.T, text string) func(*Request) {
	t.Helper()
	return func(r *Request) {
		old := parse(t, r.Object.Kind, text)
		r.Old, r.Relevant = &old, Relevant(&old, r.Object)
	}
}

func directories(t *testing.T) acme.Directories {
	t.Helper()
	d, err := acme.NewDirectories(acme.KnownCAs()...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// expectation is what one rule should make of a request. Message and warnings count only when they are given.
type expectation struct {
	request   Request
	reason    Reason
	refused   bool
	unchanged bool
	message   string
	warnings  []string
}

// check asks the rule as the set does, in a namespace that denies.
func (e expectation) check(t *testing.T, rule Rule) {
	t.Helper()
	set, err := NewSet([]Rule{rule})
	if err != nil {
		t.Fatal(err)
	}
	deny := func(RuleName) Mode { return ModeDeny }
	got := set.Decide(e.request, deny)
	want := e.reason
	switch {
	case e.unchanged:
		want = ReasonUnchanged
	case want == "":
		want = ReasonPass
	}
	if got.Reason != want || (got.Verdict == Deny) != e.refused {
		t.Fatalf("got %s (%s), want refused %v (%s): %q", got.Verdict, got.Reason, e.refused, want, append(got.Warnings, got.Message))
	}
	if e.message != "" {
		if diff := cmp.Diff(e.message+". More: "+Docs(rule.Name), got.Message); diff != "" {
			t.Error(diff)
		}
	}
	warned := set.Decide(e.request, func(RuleName) Mode { return ModeWarn })
	if e.warnings != nil {
		if diff := cmp.Diff(e.warnings, warned.Warnings); diff != "" {
			t.Error(diff)
		}
	}
	if again := set.Decide(e.request, deny); again.Message != got.Message {
		t.Errorf("the text is not stable:\n%s\n%s", got.Message, again.Message)
	}
	if e.reason != "" && e.reason != ReasonPass && len(warned.Warnings) == 0 {
		t.Error("nobody is told")
	}
	if len(got.Message) > 1024 || strings.ContainsAny(got.Message, "\n\r\t") {
		t.Errorf("not a short line: %q", got.Message)
	}
	for _, l := range warned.Warnings {
		if len([]rune(l)) > 120 || strings.ContainsAny(l, "\n\r\t") {
			t.Errorf("not a line of 120 characters but of %d: %q", len([]rune(l)), l)
		}
	}
}
