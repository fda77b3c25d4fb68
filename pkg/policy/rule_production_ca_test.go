package policy

import (
	"strings"
	"testing"

	"github.com/certwire/certwire/pkg/acme"
)

var (
	leProd    = acme.Directory{Host: "acme-v02.api.letsencrypt.org", CA: "Let's Encrypt", Stage: acme.Production}
	leStaging = acme.Directory{Host: "acme-staging-v02.api.letsencrypt.org", CA: "Let's Encrypt", Stage: acme.Staging}
	staging   = Environment{Name: "staging", From: "label certwire.dev/environment"}
)

// request builds the case that the rule exists for: a Certificate in a staging namespace with a production issuer.
func request(change ...func(*Request)) Request {
	ref := NewIssuerRef("letsencrypt-prod", "ClusterIssuer", "")
	r := Request{
		Object:      Object{Kind: Certificate, Name: "web", Issuer: &ref},
		Namespace:   "shop",
		Relevant:    true,
		Environment: staging,
		Issuer:      Issuer{Ref: ref, Found: true, ACME: true, Directory: leProd},
		Staging:     &Issuer{Ref: NewIssuerRef("letsencrypt-staging", "ClusterIssuer", ""), Found: true, ACME: true, Directory: leStaging},
	}
	for _, c := range change {
		c(&r)
	}
	return r
}

func kind(k Kind, owner string) func(*Request) {
	return func(r *Request) { r.Object.Kind, r.Object.Owner = k, owner }
}

func TestProductionCA(t *testing.T) {
	t.Parallel()
	set, err := NewSet(Rules())
	if err != nil {
		t.Fatal(err)
	}
	for sentence, c := range map[string]struct {
		request Request
		mode    Mode
		verdict Verdict
		reason  Reason
	}{
		"a Certificate in a staging namespace is refused":                      {request(), ModeDeny, Deny, ReasonProductionCA},
		"where the mode is warn, it is warned about":                           {request(), ModeWarn, Warn, ReasonProductionCA},
		"where the mode is off, nobody hears of it":                            {request(), ModeOff, Allow, ReasonOff},
		"a raw CertificateRequest is refused":                                  {request(kind(CertificateRequest, "")), ModeDeny, Deny, ReasonProductionCA},
		"a CertificateRequest of a Certificate is left to the Order":           {request(kind(CertificateRequest, "Certificate")), ModeDeny, Allow, ReasonDecidedAtOrder},
		"an Order is refused":                                                  {request(kind(Order, "CertificateRequest")), ModeDeny, Deny, ReasonProductionCA},
		"an Ingress with the annotation is refused":                            {request(kind(Ingress, "")), ModeDeny, Deny, ReasonProductionCA},
		"a Gateway with the annotation is refused":                             {request(kind(Gateway, "")), ModeDeny, Deny, ReasonProductionCA},
		"a Certificate of an Ingress only warns, the Order decides":            {request(kind(Certificate, "Ingress")), ModeDeny, Warn, ReasonDecidedAtOrder},
		"a Certificate of a ListenerSet only warns, the Order decides":         {request(kind(Certificate, "ListenerSet")), ModeDeny, Warn, ReasonDecidedAtOrder},
		"an Issuer with a production directory is refused":                     {request(kind(IssuerKind, "")), ModeDeny, Deny, ReasonProductionCA},
		"an Order that renews in time passes with a warning":                   {request(kind(Order, "CertificateRequest"), func(r *Request) { r.DueRenewal = true }), ModeDeny, Warn, ReasonDueRenewal},
		"a production namespace may":                                           {request(func(r *Request) { r.Environment = Environment{Name: "live", Production: true} }), ModeDeny, Allow, ReasonPass},
		"a namespace without an environment may not":                           {request(func(r *Request) { r.Environment = Environment{From: "no label"} }), ModeDeny, Deny, ReasonProductionCA},
		"a staging directory is fine under any name":                           {request(func(r *Request) { r.Issuer.Directory = leStaging }), ModeDeny, Allow, ReasonPass},
		"an unknown directory is not known to be production":                   {request(func(r *Request) { r.Issuer.Directory = acme.Directory{Host: "pebble", Stage: acme.Unknown} }), ModeDeny, Allow, ReasonPass},
		"an issuer that is not ACME is not asked":                              {request(func(r *Request) { r.Issuer.ACME = false }), ModeDeny, Allow, ReasonPass},
		"an issuer of another group is not asked":                              {request(func(r *Request) { r.Object.Issuer.Group = "awspca.cert-manager.io" }), ModeDeny, Allow, ReasonPass},
		"an object without an issuer is not asked":                             {request(kind(Ingress, ""), func(r *Request) { r.Object.Issuer = nil }), ModeDeny, Allow, ReasonPass},
		"a Certificate whose issuer does not exist yet is warned about":        {request(func(r *Request) { r.Issuer = Issuer{Ref: r.Issuer.Ref} }), ModeDeny, Warn, ReasonIssuerNotFound},
		"an Order whose issuer is not known yet is refused for now":            {request(kind(Order, ""), func(r *Request) { r.Issuer = Issuer{Ref: r.Issuer.Ref} }), ModeDeny, Deny, ReasonIssuerNotFound},
		"in production an issuer that does not exist is cert-manager's matter": {request(func(r *Request) { r.Issuer = Issuer{Ref: r.Issuer.Ref}; r.Environment.Production = true }), ModeDeny, Allow, ReasonPass},
		"an update that changes nothing an order depends on passes":            {request(func(r *Request) { r.Relevant = false }), ModeDeny, Allow, ReasonUnchanged},
		"an object that is being deleted passes":                               {request(func(r *Request) { r.Object.Deleting = true }), ModeDeny, Allow, ReasonDeleting},
		"a ClusterIssuer moved to production warns of those who use it":        {request(kind(ClusterIssuer, ""), func(r *Request) { r.Namespace = ""; r.Affected = []string{"a", "b", "c", "d"} }), ModeDeny, Warn, ReasonClusterIssuerMoved},
		"a ClusterIssuer that nobody outside production uses is fine":          {request(kind(ClusterIssuer, ""), func(r *Request) { r.Namespace = "" }), ModeDeny, Allow, ReasonPass},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			got := set.Decide(c.request, func(RuleName) Mode { return c.mode })
			if got.Verdict != c.verdict || got.Reason != c.reason {
				t.Fatalf("got %s (%s), want %s (%s)", got.Verdict, got.Reason, c.verdict, c.reason)
			}
			if (got.Verdict == Deny) != (got.Message != "") {
				t.Errorf("verdict %s with message %q", got.Verdict, got.Message)
			}
			for _, l := range append(got.Warnings, got.Message) {
				if strings.ContainsAny(l, "\n\r\t") {
					t.Errorf("not one line: %q", l)
				}
			}
			for _, l := range got.Warnings {
				if len([]rune(l)) > 120 {
					t.Errorf("warning of %d characters: %s", len([]rune(l)), l)
				}
			}
			if again := set.Decide(c.request, func(RuleName) Mode { return c.mode }); again.Message != got.Message {
				t.Errorf("the text is not stable:\n%s\n%s", got.Message, again.Message)
			}
		})
	}
}

func TestWarningsSayWhatHappensHere(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		request Request
		want    string
	}{
		"where it would be refused elsewhere": {request(), "use ClusterIssuer letsencrypt-staging instead; with certwire.dev/issuance=deny on the namespace this is refused"},
		"where its Order is refused":          {request(kind(Certificate, "Ingress")), "use ClusterIssuer letsencrypt-staging instead; where it is denied, its Order is refused"},
		"where a renewal is let through":      {request(kind(Order, ""), func(r *Request) { r.DueRenewal, r.Staging = true, nil }), "use a staging issuer instead; let through as a due renewal"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := checkProductionCA(c.request).Warnings; len(got) != 2 || got[1] != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestRefusalReads(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		request Request
		want    string
	}{
		"with a staging issuer in reach": {
			request(),
			`Certificate shop/web would order from ClusterIssuer letsencrypt-prod, whose ACME directory is acme-v02.api.letsencrypt.org (Let's Encrypt, production), but namespace shop is "staging" (label certwire.dev/environment) and not production. Use ClusterIssuer letsencrypt-staging (acme-staging-v02.api.letsencrypt.org) instead, or label the namespace certwire.dev/environment=production if that is what it is. More: https://github.com/certwire/certwire/blob/main/docs/rules.md#production-ca`,
		},
		"without one, and without an environment": {
			request(kind(Order, ""), func(r *Request) {
				r.Staging = nil
				r.Environment = Environment{From: "no label certwire.dev/environment"}
			}),
			`Order shop/web would order from ClusterIssuer letsencrypt-prod, whose ACME directory is acme-v02.api.letsencrypt.org (Let's Encrypt, production), but namespace shop is without an environment (no label certwire.dev/environment) and not production. Use an issuer with a staging directory instead (none is in reach of this namespace yet), or label the namespace certwire.dev/environment=production if that is what it is. More: https://github.com/certwire/certwire/blob/main/docs/rules.md#production-ca`,
		},
		"for an Issuer": {
			request(kind(IssuerKind, ""), func(r *Request) { r.Staging = nil }),
			`Issuer shop/web uses the ACME directory acme-v02.api.letsencrypt.org (Let's Encrypt, production), but namespace shop is "staging" (label certwire.dev/environment) and not production. Use the CA's staging directory instead, or label the namespace certwire.dev/environment=production if that is what it is. More: https://github.com/certwire/certwire/blob/main/docs/rules.md#production-ca`,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := checkProductionCA(c.request).Message; got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}
